import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// What is expected of α before a row was read: one over the labels of the message, and under a clip no more than what clips the gradient of
/// labels that are drawn from the victim's own predictions.
enum ExpectedScale {
  /// - Parameters:
  ///   - rows: the document's.
  ///   - item: names the draws of the labels.
  ///   - norm: as the function below has it, where it was worked out.
  static func of(
    _ seen: CutGradients, _ rows: Range<Int>, labels: Int, _ means: AttackerMeans, item: UInt64, norm known: Double? = nil
  ) -> GradientScale {
    let plain = 1 / Double(labels)
    guard let clip = seen.clip, rows.count > 1 else { return GradientScale(mean: plain, deviation: plain) }
    let norm = known ?? norm(seen, rows, means, item: item)
    let mean = min(plain, clip / max(norm, 1e-30))
    return GradientScale(mean: mean, deviation: mean / 2)
  }

  /// Norm at α = 1 of a document's gradient under labels that are drawn from the victim's own predictions.
  static func norm(_ seen: CutGradients, _ rows: Range<Int>, _ means: AttackerMeans, item: UInt64) -> Double {
    let (head, batch) = (means.model.head, PackedBatch(lengths: [rows.count]))
    let stack = TrainableStack(running: seen.stack)
    let (states, tape) = stack.forward(seen.states.slice(rows), batch)
    var predictions = Predictions(head, means, rowsAtOnce: 64)
    let random = CounterRandom(seed: means.seed, stream: "attack/expected gradient")
    var drawn: [Int32] = [0]
    for t in 0..<rows.count - 1 {
      let (logP, _) = predictions.at(t, of: states)
      var left = random.uniform(item: item, index: UInt32(t))
      let token = logP.firstIndex { p in
        left -= exp(Double(p))
        return left <= 0
      }
      drawn.append(Int32(token ?? 0))
    }
    let (_, _, dx) = head.loss(states, labels: drawn, batch: batch, divisor: 1)
    var none = stack.zeroGradients
    let gradient = stack.backward(dx, tape, gradients: &none)
    return gradient.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
