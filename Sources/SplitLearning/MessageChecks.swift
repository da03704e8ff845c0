import Kernels
import Diagnostics

extension SmashedData {
  /// Throws unless the message fits the model and itself; nothing that a peer sends reaches a kernel unchecked.
  /// - Parameters:
  ///   - width: channels of the model.
  ///   - room: how many positions the sequence may still grow by.
  ///   - sender: who sent it, for the message.
  func check(width: Int, from sender: String = "the client", room: (UInt64) -> Int) throws {
    func refuse(_ why: String) -> Fault { Fault(.invalidData, "the message from \(sender) \(why)") }
    guard lengths.count == sequences.count, Set(sequences).count == sequences.count else {
      throw refuse("names \(sequences.count) sequences with \(lengths.count) lengths, or one sequence twice")
    }
    var rows = 0
    for (id, length) in zip(sequences, lengths) {
      let most = room(id)
      guard length > 0, length <= most else {
        throw refuse("extends a sequence by \(length) positions; 1 to \(max(0, most)) more are allowed")
      }
      rows += length
    }
    guard states.rows == rows, states.columns == width else {
      throw refuse("carries [\(states.rows), \(states.columns)] states where [\(rows), \(width)] belong")
    }
    guard states.values.allSatisfy(\.isFinite) else { throw refuse("carries a state that is not a finite number") }
  }

  /// Throws unless the server's answer has as many states as were sent.
  func expect(rows: Int, columns: Int) throws {
    guard states.rows == rows, states.columns == columns else {
      throw Fault(.invalidData, "the server returned [\(states.rows), \(states.columns)] states for [\(rows), \(columns)]")
    }
  }
}
