package import Kernels

/// What the client does to h_A before it leaves: in training and at inference alike, on prefill and on every decoded token.
package protocol StateProtector: Sendable {
  /// - Parameters:
  ///   - states: h_A [B, C].
  ///   - sequences: the sequence of each row.
  ///   - positions: the position of each row in its sequence.
  /// - Returns: h̃_A [B, C]. Randomness: a pure function of seed, sequence and position, whatever the batching.
  func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix
}

/// No defense: what the released FedSEA code does at inference.
package struct Unprotected: StateProtector {
  package init() {}
  package func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix { states }
}
