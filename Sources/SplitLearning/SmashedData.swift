package import Kernels

/// Hidden states that cross a cut, and all the metadata that must go with them: which sequences they extend and by how many positions.
/// There is no mask and no padding on this wire: a count per sequence is FedSEA's attention-mask compression taken to its limit.
package struct SmashedData: Sendable, Equatable {
  /// Client-chosen identifiers of the sequences, distinct within a message.
  package var sequences: [UInt64]
  /// New positions of each sequence.
  package var lengths: [Int]
  /// [sum of lengths, C].
  package var states: Matrix

  package init(sequences: [UInt64], lengths: [Int], states: Matrix) {
    (self.sequences, self.lengths, self.states) = (sequences, lengths, states)
  }

  /// The sequence of each row.
  var rowSequences: [UInt64] { zip(sequences, lengths).flatMap { [UInt64](repeating: $0, count: $1) } }
}

/// The only way from client to server. Implementations: in process, and whatever a network offers.
package protocol SplitTransport {
  /// Sends h_A of new positions, returns h_B of the same positions.
  func forward(_ message: SmashedData) throws -> SmashedData
  /// Ends sequences: the server drops their keys and values.
  func release(_ sequences: [UInt64]) throws
}

/// Client and server in one process; the messages are still the only thing that they exchange.
package struct InProcessTransport: SplitTransport {
  private let server: SplitServer

  package init(_ server: SplitServer) { self.server = server }

  package func forward(_ message: SmashedData) throws -> SmashedData { try server.forward(message) }
  package func release(_ sequences: [UInt64]) throws { server.release(sequences) }
}
