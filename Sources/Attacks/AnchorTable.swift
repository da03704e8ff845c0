package import Audit
import Foundation
import Checkpoints
package import Kernels
import Llama
import SplitLearning

/// Where each token of the vocabulary lands at a cut, on average: a cheap likelihood of every token at once.
///
/// Two codebooks. `first`: every token alone, which is exact for the first position of a document. `later`: every token after a public
/// context; the residual of real text around it (`bias`, `variance` per channel) is measured on auxiliary text, so the likelihood knows how
/// wrong it is. After Luo et al. ("calibrated anchors"), with a Gaussian residual model in place of their distance.
package struct AnchorTable: Sendable {
  /// [V, C] each.
  let first: Matrix
  let later: Matrix
  /// [C] each, from auxiliary text.
  let bias: [Float]
  let variance: [Float]

  /// The tables for the cut after `inputBlocks` blocks, made once per run: 2·V forwards of one token.
  /// - Parameter feature: what of the states is observed; the tables are then [V, feature].
  package static func at(_ inputBlocks: Int, _ means: AttackerMeans) -> AnchorTable { at(inputBlocks, means, feature: nil) }

  static func at(_ inputBlocks: Int, _ means: AttackerMeans, feature: StateFeature?) -> AnchorTable {
    means.memory.table("anchors/\(inputBlocks)/\(feature?.name ?? "")") {
      let (stack, compute) = (means.model.stack[0..<inputBlocks], means.model.compute)
      func observed(_ states: Matrix) -> Matrix { feature?.applyInParts(states, compute) ?? states }
      let context = Array((means.auxiliary.max { $0.count < $1.count } ?? []).prefix(16))
      var caches = [stack.emptyCache()]
      if !context.isEmpty {
        _ = stack.forward(means.model.embedding.gather(context), PackedBatch(lengths: [context.count]), caches: &caches)
      }
      let first = observed(Codebook.states(means.model, stack, after: stack.emptyCache()))
      let later = context.isEmpty ? first : observed(Codebook.states(means.model, stack, after: caches[0]))
      let (bias, variance) = residuals(means, stack, later, observed)
      return AnchorTable(first: first, later: later, bias: bias, variance: variance)
    }
  }

  /// Mean and variance per channel of h − anchor over the later positions of auxiliary text (at most 64 passages).
  private static func residuals(_ means: AttackerMeans, _ stack: BlockStack, _ anchors: Matrix, _ observed: (Matrix) -> Matrix) -> (
    [Float], [Float]
  ) {
    let c = anchors.columns
    var (sum, squares, n) = ([Double](repeating: 0, count: c), [Double](repeating: 0, count: c), 0.0)
    for passage in means.auxiliary.prefix(64) where passage.count > 1 {
      var caches = [stack.emptyCache()]
      let h = observed(stack.forward(means.model.embedding.gather(passage), PackedBatch(lengths: [passage.count]), caches: &caches))
      for t in 1..<passage.count {
        for (i, (x, a)) in zip(h[row: t], anchors[row: Int(passage[t])]).enumerated() {
          let r = Double(x - a)
          sum[i] += r
          squares[i] += r * r
        }
        n += 1
      }
    }
    guard n > 0 else { return ([Float](repeating: 0, count: c), [Float](repeating: 1, count: c)) }
    let bias = sum.map { Float($0 / n) }
    return (bias, zip(squares, bias).map { max(1e-8, Float($0 / n) - $1 * $1) })
  }

  /// A scorer for observations under noise of standard deviation `sigma`.
  /// - Parameters:
  ///   - isFirst: for first positions of documents, where the codebook is exact and `sigma` must not be 0.
  func scorer(isFirst: Bool, sigma: Double, _ compute: Compute) -> AnchorScorer {
    let table = isFirst ? first : later
    let precision = isFirst ? variance.map { _ in 1 / Float(sigma * sigma) } : variance.map { 1 / ($0 + Float(sigma * sigma)) }
    let half = [Float].filled(table.rows) { out in
      compute.parallel(over: table.rows, grain: 512) { rows in
        for t in rows {
          var total: Float = 0
          for (w, a) in zip(precision, table[row: t]) { total += w * a * a }
          out[t] = -total / 2
        }
      }
    }
    return AnchorScorer(table: table, bias: isFirst ? bias.map { _ in 0 } : bias, precision: precision, half: half)
  }
}

/// ln p(y | token) of every token under one noise level: −½ Σ w (y − b − a)² = Σ w (y − b) a − ½ Σ w a² + a constant of the row.
struct AnchorScorer: Sendable {
  fileprivate let table: Matrix
  fileprivate let bias: [Float]
  fileprivate let precision: [Float]
  fileprivate let half: [Float]

  /// Up to a constant per row, [rows, V]. `y` [rows, C].
  func logLikelihoods(_ y: Matrix, _ compute: Compute) -> Matrix {
    var weighted = y
    for r in 0..<y.rows {
      for i in 0..<y.columns { weighted.values[r * y.columns + i] = precision[i] * (y.values[r * y.columns + i] - bias[i]) }
    }
    var scores = compute.linear(weighted, table.values, outputs: table.rows)
    compute.addBias(&scores, half)
    return scores
  }
}

extension AnchorTable {
  /// The `count` tokens whose anchors lie nearest to that of `token` (itself among them), nearest first.
  package func nearest(to token: Int32, count: Int, isFirst: Bool, _ compute: Compute) -> [Int32] {
    let table = isFirst ? first : later
    let own = table.slice(Int(token)..<Int(token) + 1)
    let distances = compute.squaredDistances(table, to: own, target: [Int32](repeating: 0, count: table.rows))
    return largest(count, of: distances.map { -$0 })
  }
}

/// The state of every token of the vocabulary as the next token of one prefix.
enum Codebook {
  /// Rows per batch: large enough for the products, small enough for the cache.
  static let batch = 2048

  /// [V, C].
  static func states(_ model: LlamaModel, _ stack: BlockStack, after prefix: SequenceCache) -> Matrix {
    var values: [Float] = []
    values.reserveCapacity(model.configuration.vocabularySize * model.configuration.hiddenSize)
    for start in stride(from: 0, to: model.configuration.vocabularySize, by: batch) {
      let ids = (start..<min(start + batch, model.configuration.vocabularySize)).map(Int32.init)
      values += stack.candidates(model.embedding.gather(ids), prefixOf: ids.map { _ in 0 }, caches: [prefix]).values
    }
    return Matrix(rows: model.configuration.vocabularySize, columns: model.configuration.hiddenSize, values: values)
  }
}
