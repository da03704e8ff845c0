package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// A14c: reads the labels, and with them the text, off the gradient that a client returns for h_B, one row at a time from a document's last.
///
/// The server made h_B and knows the weights behind it, so p_t = softmax(C(h_B)_t) is exact and only labels are unknown:
///
///     g_t = α ( Σ_{s>t} J_{s,t}ᵀ (p_s − e_{y_s}) + J_{t,t}ᵀ (p_t − e_{y_t}) )
///
/// By causality the last labelled row depends on its own label alone; once that is known its share of every earlier row is, and so on backwards
/// (`RowwiseGradient`). Each row is a search over a codebook of V gradients (`LabelCodebook`) under the noise's likelihood and the prior λ ln p_t,
/// the victim's own prediction. α, the loss's divisor and the clipping of the document, is least squares over all rows so far (`GradientScale`).
/// The label of row t is token t + 1; a document's first token has no label and gets the unigram guess.
///
/// Under overwhelming noise only the prior is left, which still is the victim's next-token prediction from h_B.
package struct LabelMatching: Attack {
  package static let description = MethodDescription(
    name: "label-matching", summary: "labels read off the returned gradient, from the last position to the first, exactly",
    paper: "no published source known; iDLG (Zhao et al. 2020) where the client holds the head only",
    deviations: "none; a search over exact codewords takes the place of gradient matching by descent",
    cost: "about a hundred rows back through q blocks, and one product of the head's matrix with 14 columns, a token; more under noise",
    knowledge: .k2,
    channels: [.outputGradients, .outputHiddenStates],
    settings: [
      "prior_weight": "λ, default 1",
      "max_candidates": "most labels worked out per position, of those whose bound is best, default 8192",
      "unlabelled": "prior probability that a row other than a document's last has no label, default 0.001",
    ])

  package static let rules: [String: SettingRule] = [
    "prior_weight": .number(0...10), "max_candidates": .integer(1...(1 << 30)), "unlabelled": .number(0...0.999),
  ]

  private let priorWeight: Float
  private let most: Int
  private let unlabelled: Double

  static let posteriorWidth = 64
  /// `unlabelled` of a document's last row, which has no label when labels are the next tokens.
  private static let unlabelledLast = 0.5
  /// Labels that were not worked out may hold this much of the posterior.
  private static let share = 1e-4
  /// Rows whose predictions are worked out at once.
  private static let rowsAtOnce = 64

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    priorWeight = Float(try reader.real("prior_weight", default: 1, in: 0...10))
    most = try reader.integer("max_candidates", default: 8192, in: 1...(1 << 30))
    unlabelled = try reader.real("unlabelled", default: 1e-3, in: 0...0.999)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let started = Date()
    let seen = try CutGradients(view, means, attack: Self.description.name)
    var found = Reconstruction(tokens: [], posterior: TokenPosterior(width: Self.posteriorWidth))
    for document in 0..<view.documents {
      let rows = view.range(of: document)
      let steps = try labels(seen, rows, labels: seen.labels[document], means, document) { done in
        try progress((Double(rows.lowerBound) + done * Double(rows.count)) / Double(max(1, view.tokens)))
      }
      let unigram = Unigram.of(means)
      var tokens: [Int32] = []
      if !rows.isEmpty {
        tokens.append(unigram.ranked[0])
        found.posterior!.append(densest: unigram.logProbabilities, width: Self.posteriorWidth)
      }
      for step in steps.dropLast() {
        tokens.append(step.token)
        found.posterior!.append(step.posterior, position: 0)
        found.cost.candidateForwards += step.evaluated
      }
      found.tokens.append(tokens)
    }
    found.cost.seconds = Date().timeIntervalSince(started)
    return found
  }

  /// What one row says about the token after it.
  private struct Step {
    var token: Int32
    var posterior: TokenPosterior
    var evaluated: Int
  }

  /// The labels of all rows of one document, first row first.
  private func labels(
    _ seen: CutGradients, _ rows: Range<Int>, labels: Int, _ means: AttackerMeans, _ document: Int, progress: (Double) throws -> Void
  ) throws -> [Step] {
    let head = means.model.head
    var pass = RowwiseGradient(seen.stack, seen.states.slice(rows))
    guard pass.output.values.allSatisfy({ $0.magnitude < 1e15 }) else {
      throw Fault(.invalidData, "\(Self.description.name): the states of document \(document) overflow behind the cut")
    }
    let sigma = seen.deviation(rows)
    var scale = ExpectedScale.of(seen, rows, labels: labels, means, item: UInt64(document))
    var predictions = Predictions(head, means, rowsAtOnce: Self.rowsAtOnce)
    var steps: [Step] = []
    var isScaled = false
    for t in (0..<rows.count).reversed() {
      let (logP, mean) = predictions.at(t, of: pass.output)
      let inherited = pass.inherited(row: t)
      let book = LabelCodebook(
        .of(means), pass, row: t, head, observed: Array(seen.gradients[row: rows.lowerBound + t]), inherited: inherited, mean: mean,
        scale: scale,
        sigma: sigma)
      let isLast = t == rows.count - 1
      let absent = isLast ? Self.unlabelledLast : unlabelled
      let prior = logP.map { $0 * priorWeight }
      let (best, rest) = book.best(logPrior: prior, isClean: seen.sigma == 0 && isScaled, most: most, share: Self.share)
      let none = absent > 0 ? book.unlabelled(inherited.values, logPrior: log(absent)) : -.infinity
      // As long as no row has told α, α → 0 explains a row that is empty with any label: there, emptiness decides.
      let isEmpty = (isLast || (seen.sigma == 0 && !isScaled)) && book.isNoise
      let isAbsent = isEmpty || none > best[0].score + log1p(-absent)
      isScaled = isScaled || !isAbsent
      let normal = isAbsent ? inherited.values : book.gradient(of: best[0].token)
      let (dot, square) = book.moments(normal)
      scale.add(dot: dot, square: square)
      let weight = isEmpty ? best[0].score + 20 : none - log1p(-absent)
      steps.append(step(best, rest: rest, none: weight, isAbsent: isAbsent, logP))
      // p − e_y goes back; a row without a label sends nothing of its own.
      var dNormed = mean
      if isAbsent {
        dNormed = Matrix(rows: 1, columns: mean.columns)
      } else {
        for (c, w) in head.weight.gather([best[0].token]).values.enumerated() { dNormed.values[c] -= w }
      }
      pass.commit(pass.normTransposed(dNormed, row: t, head), row: t)
      try progress(Double(rows.count - t) / Double(rows.count))
    }
    return steps.reversed()
  }

  /// The posterior of the next token: that of the labels, and where there is none the prediction.
  private func step(_ best: [LabelCodebook.Scored], rest: Double, none: Double, isAbsent: Bool, _ logP: [Float]) -> Step {
    let total = best.reduce(logAdd(rest, none)) { logAdd($0, $1.score) }
    func logProbability(_ label: LabelCodebook.Scored) -> Double {
      logAdd(label.score - total, none - total + Double(logP[Int(label.token)]))
    }
    var ranked = best.prefix(4 * Self.posteriorWidth).map { ($0.token, logProbability($0)) }
    if isAbsent {
      let known = Set(ranked.map(\.0))
      ranked += largest(Self.posteriorWidth, of: logP).filter { !known.contains($0) }.map { ($0, none - total + Double(logP[Int($0)])) }
    }
    ranked.sort { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 > $1.1 }
    // Weights and rounding are never exactly what the likelihood says: a ten-thousandth of the mass stays with the other tokens.
    let doubt = 1e-4
    let listed = ranked.prefix(Self.posteriorWidth).map { ($0.0, Float($0.1 + log1p(-doubt))) }
    let left = max(doubt, 1 - listed.reduce(0.0) { $0 + exp(Double($1.1)) })
    var posterior = TokenPosterior(width: Self.posteriorWidth)
    posterior.append(ids: listed.map(\.0), logProbabilities: listed.map(\.1), rest: Float(log(left)))
    return Step(token: listed[0].0, posterior: posterior, evaluated: best.count)
  }
}
