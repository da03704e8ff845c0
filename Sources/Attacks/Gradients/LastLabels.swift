import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// The last token of each text of a message, from ∂L/∂W_Q of the client's second block, once all others are known.
///
/// A last token predicts nothing, so its state leaves no trace in the span; but it is the label of the position before it. The normalised inputs n_t of the
/// block are known and independent, so ∂L/∂W_Q = Σ_t δ_t n_tᵀ is solved for δ_t, the gradient of every position's query. That of the last position with
/// a label depends on this label alone, since nothing after it has a loss:
///
///     δ ∝ (Σ_v p_v w_v − w_y) K,   K [C, H·D] from the normed last state back to the query of that one row (`RowwiseGradient`)
///
/// with p the model's prediction and w the head's rows. K takes C rows back through the model, and then every token of the vocabulary is compared by
/// the angle between δ and what it would cause: a clip or another divisor of the loss changes nothing. Predicted tokens are asked first, a row each. This is `label-matching` at one row, from
/// weights instead of states.
///
/// Deterministic. Needs the weights of all blocks behind, and a server that computed with the client's plain states.
struct LastLabels {
  /// A label is taken when it leaves less than `misfit` of δ unexplained, in the norm, and the next best `distinct` times as much.
  private struct Bound {
    var misfit: Double
    var distinct: Double
  }

  /// Among all tokens, and among the predicted ones alone, where the truth may be none of them.
  private static let (whole, alone) = (Bound(misfit: 0.1, distinct: 2), Bound(misfit: 0.02, distinct: 16))
  /// Predicted tokens that are asked before all others: a row each in place of C rows back through the model.
  private static let predicted = 32

  private let means: AttackerMeans
  private var model: LlamaModel { means.model }
  /// The head's rows [V, C]; made when they are first asked for.
  private var table: Matrix { LabelTable.of(means).weights }

  init(_ means: AttackerMeans) { self.means = means }

  /// - Parameters:
  ///   - gradient: ∂L/∂W_Q of the second block, summed over the message, [H·D, C].
  ///   - texts: of the message without their last tokens.
  /// - Returns: a last token for each; nil where none explains the gradient.
  func labels(_ gradient: Matrix, _ texts: [[Int32]]) -> [Int32?] {
    let (states, inputs) = rows(texts)
    guard let deltas = FirstPositions.solved(Matrix(stacking: inputs), gradient, model.compute) else { return texts.map { _ in nil } }
    var end = 0
    return zip(states, inputs).map { states, own in
      end += own.rows
      if own.rows == 0 { return nil }
      return label(RowwiseGradient(model.stack[1..<model.configuration.blocks], states), Array(deltas[row: end - 1]))
    }
  }

  /// Share of the gradient, in the norm, that no δ_t of these texts explains: rounding where they are the message's.
  func misfit(_ gradient: Matrix, _ texts: [[Int32]]) -> Double {
    let inputs = Matrix(stacking: rows(texts).inputs)
    guard inputs.rows > 0, let deltas = FirstPositions.solved(inputs, gradient, model.compute) else { return 1 }
    let fit = model.compute.product(deltas, inputs, transposeA: true)
    let (left, whole) = zip(fit.values, gradient.values).reduce(into: (0.0, 0.0)) { sums, pair in
      sums.0 += Double(pair.0 - pair.1) * Double(pair.0 - pair.1)
      sums.1 += Double(pair.1) * Double(pair.1)
    }
    return whole > 0 && left.isFinite ? (left / whole).squareRoot() : 1
  }

  /// The second block's inputs of each text [T, C], and the same normalised without first positions, which attend to themselves alone whatever their query.
  private func rows(_ texts: [[Int32]]) -> (states: [Matrix], inputs: [Matrix]) {
    let (block, first) = (model.stack.blocks[1], model.stack[0..<1])
    let states = texts.map { text -> Matrix in
      var caches = [first.emptyCache()]
      return first.forward(model.embedding.gather(text), PackedBatch(lengths: [text.count]), caches: &caches)
    }
    let inputs = states.map {
      model.compute.rmsNorm($0.slice(min(1, $0.rows)..<$0.rows), weight: block.attentionNorm, epsilon: block.epsilon)
    }
    return (states, inputs)
  }

  /// The token whose gradient has the direction of `delta` [H·D]: a predicted one if it alone explains δ, else any of the vocabulary.
  private func label(_ pass: RowwiseGradient, _ delta: [Float]) -> Int32? {
    let (compute, head) = (model.compute, model.head)
    let (row, width) = (pass.output.rows - 1, pass.output.columns)
    var prediction = head.logits(pass.output.slice(row..<row + 1))
    let predicted = largest(Self.predicted, of: prediction.values)
    let normaliser = compute.logSumExp(prediction)[0]
    prediction.values = prediction.values.map { expf($0 - normaliser) }
    func back(_ directions: Matrix) -> Matrix { pass.queryTransposed(pass.normTransposed(directions, row: row, head), row: row) }

    let few = back(
      Matrix(stacking: [compute.gather(table, rows: predicted.map(Int.init)[...]), head.weight.applyTransposed(prediction, compute)]))
    let mean = Array(few[row: predicted.count])
    if let known = explaining(delta, few.slice(0..<predicted.count), mean, upTo: Self.alone) { return predicted[known] }
    var unit = Matrix(rows: width, columns: width)
    for c in 0..<width { unit[c, c] = 1 }
    return explaining(delta, compute.product(table, back(unit)), mean, upTo: Self.whole).map(Int32.init)
  }

  /// The row of `moved` that δ ∝ `mean` − row explains best, if it leaves little and all others far more.
  private func explaining(_ delta: [Float], _ moved: Matrix, _ mean: [Float], upTo bound: Bound) -> Int? {
    let size = delta.reduce(0.0) { $0 + Double($1) * Double($1) }
    guard size > 0, size.isFinite else { return nil }
    // sin² of the angle.
    let misfits = moved.values.withUnsafeBufferPointer { values in
      (0..<moved.rows).map { v -> Double in
        var (dot, square) = (0.0, 0.0)
        for c in mean.indices {
          let x = Double(mean[c] - values[v * mean.count + c])
          dot += Double(delta[c]) * x
          square += x * x
        }
        guard dot > 0, square.isFinite else { return 1 }
        return 1 - dot * dot / (size * square)
      }
    }
    guard let best = misfits.indices.min(by: { misfits[$0] < misfits[$1] }) else { return nil }
    let second = misfits.indices.lazy.filter { $0 != best }.map { misfits[$0] }.min() ?? 1
    let least = max(0, misfits[best]).squareRoot()
    return least < bound.misfit && second.squareRoot() > bound.distinct * least ? best : nil
  }
}
