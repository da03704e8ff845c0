package import Kernels

/// A secret change of how states are laid out: of their basis, or of the order of the rows. The server computes on what it receives and answers in the
/// same layout; utility is untouched, and the secret is all that protects.
package protocol SecretBasis: StateProtector {
  /// States into the secret layout, [B, C].
  /// - Parameter sequences: the sequence of each row; rows of one sequence follow each other.
  func folded(_ states: Matrix, sequences: [UInt64]) -> Matrix
  /// And back.
  func unfolded(_ states: Matrix, sequences: [UInt64]) -> Matrix
}

extension SecretBasis {
  package func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix { folded(states, sequences: sequences) }
}

/// One basis for all rows: the server's weights are folded with it.
package protocol ChannelBasis: SecretBasis {
  func folded(_ states: Matrix) -> Matrix
  func unfolded(_ states: Matrix) -> Matrix
}

extension ChannelBasis {
  package func folded(_ states: Matrix, sequences: [UInt64]) -> Matrix { folded(states) }
  package func unfolded(_ states: Matrix, sequences: [UInt64]) -> Matrix { unfolded(states) }
}

/// A server that computes in a client's secret layout, emulated by one with plain weights: what crosses is the same.
package struct FoldedServer: SplitTransport {
  private let plain: any SplitTransport
  private let basis: any SecretBasis

  package init(_ plain: any SplitTransport, _ basis: any SecretBasis) { (self.plain, self.basis) = (plain, basis) }

  package func forward(_ message: SmashedData) throws -> SmashedData {
    var inner = message
    inner.states = basis.unfolded(message.states, sequences: message.rowSequences)
    var answer = try plain.forward(inner)
    answer.states = basis.folded(answer.states, sequences: answer.rowSequences)
    return answer
  }

  package func release(_ sequences: [UInt64]) throws { try plain.release(sequences) }
}

/// The client's end of the same: brings answers back into the plain layout.
package struct UnfoldingTransport: SplitTransport {
  private let inner: any SplitTransport
  private let basis: any SecretBasis

  package init(_ inner: any SplitTransport, _ basis: any SecretBasis) { (self.inner, self.basis) = (inner, basis) }

  package func forward(_ message: SmashedData) throws -> SmashedData {
    var answer = try inner.forward(message)
    answer.states = basis.unfolded(answer.states, sequences: answer.rowSequences)
    return answer
  }

  package func release(_ sequences: [UInt64]) throws { try inner.release(sequences) }
}
