package import Kernels

/// A tensor of the forward pass that can be read by name, for example `blocks.03.key`.
package struct ActivationPoint: Sendable, Hashable {
  package enum Tensor: String, Sendable, CaseIterable {
    /// Block input [B, C].
    case input
    /// Rotated queries [B, H·D].
    case query
    /// Rotated keys [B, G·D].
    case key
    /// Values [B, G·D].
    case value
    /// Attention probabilities of one sequence, [H·T, past + T].
    case map
    /// Attention output before W_o [B, H·D].
    case attended
    /// Block output [B, C].
    case output
  }

  /// Index in the whole model, from 0.
  package var block: Int
  package var tensor: Tensor
  /// The sequence, for `map`; 0 otherwise.
  package var sequence: Int

  package init(block: Int, tensor: Tensor, sequence: Int = 0) {
    (self.block, self.tensor, self.sequence) = (block, tensor, sequence)
  }

  package var name: String {
    let number = block < 10 ? "0\(block)" : "\(block)"
    return tensor == .map ? "blocks.\(number).map.\(sequence)" : "blocks.\(number).\(tensor.rawValue)"
  }
}

/// Reads activations while a forward pass runs.
package struct ActivationProbe {
  /// Asked before a tensor is copied; maps are only kept if wanted.
  package var wants: (ActivationPoint) -> Bool
  package var record: (ActivationPoint, Matrix) -> Void

  package init(wants: @escaping (ActivationPoint) -> Bool, record: @escaping (ActivationPoint, Matrix) -> Void) {
    (self.wants, self.record) = (wants, record)
  }

  func offer(_ point: ActivationPoint, _ matrix: @autoclosure () -> Matrix) {
    if wants(point) { record(point, matrix()) }
  }
}
