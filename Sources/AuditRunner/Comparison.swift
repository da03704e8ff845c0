import Attacks
package import Audit
import Foundation
import LeakageMetrics

/// What a cell's leakage is set beside: the best decision there is, and what the noise does to the model.
package enum Comparison {
  /// The Bayes reference at the positions that the plan asks for, and how far each attack stays behind it there.
  static func reference(
    _ view: AdversaryView, _ scored: [Scoring.Scored], _ cell: PlanCell, _ bench: Workbench, settings: [String: SettingValue],
    _ progress: (Double) throws -> Void
  ) throws -> ReferenceResult? {
    guard cell.plan.reference > 0, cell.plan.dataset.repeats == 1, cell.plan.threatModel.noise != .withheld else { return nil }
    let began = Date()
    var means = bench.means
    (means.model, means.memory) = (bench.victim, AttackerMemory())
    let positions = try BayesReference.decisions(bench.corpus.documents, view, count: cell.plan.reference, means, progress: progress)
    guard !positions.isEmpty else { return nil }
    let groups = Dictionary(grouping: positions, by: \.document).sorted { $0.key < $1.key }
    func estimate(_ value: (BayesReference.Position) -> Double) -> Estimate? {
      bootstrap(groups.map { [$0.value.reduce(0.0) { $0 + value($1) }, Double($0.value.count)] }, seed: UInt64(cell.seed)) { $0[0] / $0[1] }
    }
    guard let own = estimate({ $0.isHit ? 1 : 0 }) else { return nil }
    let shortfalls = scored.compactMap { entry -> ReferenceResult.Shortfall? in
      func hit(_ p: BayesReference.Position) -> Double {
        entry.documents[p.document].guessTokens[p.position] == entry.documents[p.document].truthTokens[p.position] ? 1 : 0
      }
      guard !entry.isBaseline, entry.chosen == nil, let accuracy = estimate(hit), let behind = estimate({ ($0.isHit ? 1 : 0) - hit($0) })
      else { return nil }
      return .init(attack: entry.attack, accuracy: accuracy.mean, shortfall: behind.mean, ci95: behind.ci95)
    }
    return ReferenceResult(
      cell: cell.id, settings: settings, positions: positions.count, accuracy: own.mean, ci95: own.ci95, attacks: shortfalls,
      seconds: Date().timeIntervalSince(began))
  }

  /// exp of the mean loss over predicted tokens of all documents, with its interval over documents.
  /// - Parameters:
  ///   - losses: mean of each document, nats; nil where nothing is predicted.
  ///   - lengths: tokens of each document; all but its first are predicted.
  package static func perplexity(
    _ losses: [Double?], lengths: [Int], cell: String, settings: [String: SettingValue], seed: Int
  ) -> [UtilityResult] {
    let rows = zip(losses, lengths).compactMap { loss, length in loss.map { [$0 * Double(length - 1), Double(length - 1)] } }
    guard let estimate = bootstrap(rows, seed: UInt64(seed), aggregate: { exp($0[0] / $0[1]) }) else { return [] }
    return [
      UtilityResult(
        cell: cell, settings: settings, metric: "perplexity", mean: estimate.mean, ci95: [estimate.lower, estimate.upper], n: estimate.n)
    ]
  }
}
