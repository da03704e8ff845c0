import Diagnostics
import Kernels
package import Llama

/// The only way between client and server in training: four tensors a step (h_A, h_B, ∂L/∂h_B, ∂L/∂h_A) and the word to update.
/// Tokens, labels and the loss never cross.
package protocol TrainingTransport {
  /// Sends h_A, returns h_B.
  func forward(_ message: SmashedData) throws -> SmashedData
  /// Sends ∂L/∂h_B of the sequences of the last `forward`, returns ∂L/∂h_A.
  func backward(_ gradient: SmashedData) throws -> SmashedData
  /// Ends a step: the server updates its adapters with what was added up.
  func update(rate: Float) throws
}

/// The server's side of fine-tuning: the middle blocks, their adapters and their optimizer.
package final class TrainingServer: TrainingTransport {
  package private(set) var trainable: TrainableStack
  package private(set) var optimizer: AdapterOptimizer
  private let width: Int
  private let longestSequence: Int
  private var gradients: [BlockAdapters]
  private var pending: (sequences: [UInt64], lengths: [Int], tape: TrainableStack.Tape)?

  package init(_ trainable: TrainableStack, optimizer: AdapterOptimizer, width: Int, longestSequence: Int = 8192) {
    (self.trainable, self.optimizer, self.width, self.longestSequence) = (trainable, optimizer, width, longestSequence)
    gradients = trainable.zeroGradients
  }

  /// Throws, and changes nothing, when the message does not fit the model or itself.
  package func forward(_ message: SmashedData) throws -> SmashedData {
    try message.check(width: width) { _ in longestSequence }
    let (states, tape) = trainable.forward(message.states, PackedBatch(lengths: message.lengths))
    pending = (message.sequences, message.lengths, tape)
    return SmashedData(sequences: message.sequences, lengths: message.lengths, states: states)
  }

  package func backward(_ gradient: SmashedData) throws -> SmashedData {
    try gradient.check(width: width) { _ in longestSequence }
    guard let (sequences, lengths, tape) = pending, sequences == gradient.sequences, lengths == gradient.lengths else {
      throw Fault(.invalidData, "the client sent a gradient for sequences other than those of its last forward message")
    }
    pending = nil
    let states = trainable.backward(gradient.states, tape, gradients: &gradients)
    return SmashedData(sequences: sequences, lengths: lengths, states: states)
  }

  package func update(rate: Float) throws {
    guard rate.isFinite, rate >= 0 else { throw Fault(.invalidData, "a learning rate of \(rate)") }
    _ = optimizer.update(&trainable.adapters, gradients: gradients, rate: rate)
    gradients = trainable.zeroGradients
  }

  /// Takes over adapters, for example the average over all copies; the optimizer's state stays.
  func adopt(_ adapters: [BlockAdapters]) { trainable.adapters = adapters }
}
