package import Kernels

/// Sits where a curious server sits: passes messages on and records what they carry. It is given no token.
package final class Tap: SplitTransport {
  private let inner: any SplitTransport
  /// Everything seen per sequence, in order of arrival.
  package private(set) var seen: [UInt64: Record] = [:]

  package struct Record: Sendable {
    /// New positions per message: prompt length first, then ones while decoding (O6).
    package var messageLengths: [Int] = []
    /// h̃_A as sent, [T, C] flat.
    package var sent: [Float] = []
    /// h_B as returned, [T, C] flat.
    package var returned: [Float] = []
  }

  package init(_ inner: any SplitTransport) { self.inner = inner }

  package func forward(_ message: SmashedData) throws -> SmashedData {
    let answer = try inner.forward(message)
    var row = 0
    for (id, length) in zip(message.sequences, message.lengths) {
      let flat = row * message.states.columns..<(row + length) * message.states.columns
      seen[id, default: Record()].messageLengths.append(length)
      seen[id]!.sent.append(contentsOf: message.states.values[flat])
      seen[id]!.returned.append(contentsOf: answer.states.values[flat])
      row += length
    }
    return answer
  }

  package func release(_ sequences: [UInt64]) throws { try inner.release(sequences) }

  /// Forgets what was recorded of `sequences`, once it is filed.
  package func forget(_ sequences: [UInt64]) {
    for id in sequences { seen[id] = nil }
  }

  /// The records of `sequences`, packed: row offsets, h̃_A and h_B.
  package func packed(_ sequences: [UInt64], columns: Int) -> (offsets: [Int], sent: Matrix, returned: Matrix) {
    var (offsets, sent, returned) = ([0], [Float](), [Float]())
    for id in sequences {
      let record = seen[id] ?? Record()
      sent += record.sent
      returned += record.returned
      offsets.append(sent.count / columns)
    }
    let rows = offsets.last!
    return (offsets, Matrix(rows: rows, columns: columns, values: sent), Matrix(rows: rows, columns: columns, values: returned))
  }
}
