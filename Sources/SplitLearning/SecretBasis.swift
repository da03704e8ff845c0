package import Kernels

/// A secret change of the states' basis. The server's weights are folded with it, so that it computes on what it receives and answers in the same
/// basis; utility is untouched, and the secret is all that protects.
package protocol SecretBasis: StateProtector {
  /// States into the secret basis, [B, C].
  func folded(_ states: Matrix) -> Matrix
  /// And back.
  func unfolded(_ states: Matrix) -> Matrix
}

/// A server whose weights are folded with a client's secret basis, emulated by one with plain weights: what crosses is the same.
package struct FoldedServer: SplitTransport {
  private let plain: any SplitTransport
  private let basis: any SecretBasis

  package init(_ plain: any SplitTransport, _ basis: any SecretBasis) { (self.plain, self.basis) = (plain, basis) }

  package func forward(_ message: SmashedData) throws -> SmashedData {
    var inner = message
    inner.states = basis.unfolded(message.states)
    var answer = try plain.forward(inner)
    answer.states = basis.folded(answer.states)
    return answer
  }

  package func release(_ sequences: [UInt64]) throws { try plain.release(sequences) }
}

/// The client's end of the same: brings answers back into the plain basis.
package struct UnfoldingTransport: SplitTransport {
  private let inner: any SplitTransport
  private let basis: any SecretBasis

  package init(_ inner: any SplitTransport, _ basis: any SecretBasis) { (self.inner, self.basis) = (inner, basis) }

  package func forward(_ message: SmashedData) throws -> SmashedData {
    var answer = try inner.forward(message)
    answer.states = basis.unfolded(answer.states)
    return answer
  }

  package func release(_ sequences: [UInt64]) throws { try inner.release(sequences) }
}
