package import Audit
import Foundation
import Kernels

/// Rows of ∂L/∂h_B that stand for no label carry no gradient at all: padding, decoys and last positions give themselves away, so they hide nothing.
///
///     score = log10(median norm / norm of the row)
package struct ZeroRowDecoy: InferenceAttack {
  package static let description = MethodDescription(
    name: "zero-row-decoy", summary: "which rows of the client's gradient are of no label: those without a gradient",
    paper: "zero-row test of split learning gradients (2609.04382)",
    deviations: "a row counts as empty a thousand times below the median norm",
    cost: "one norm a row", knowledge: .k0, channels: [.outputGradients])

  /// log10 of how far below the median an empty row lies.
  private static let threshold = 3.0

  package init(_ settings: [String: SettingValue]) throws {}

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    let gradients = try view.required(.outputGradients, by: Self.description.name).values
    let norms = (0..<gradients.rows).map { r in gradients[row: r].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
    let filled = norms.filter { $0 > 0 }.sorted()
    let median = filled.isEmpty ? 1 : filled[filled.count / 2]
    let scores = norms.map { log10(median / max($0, median * 1e-30)) }
    return [InferenceAnswer(.unlabelledRow, .scores(scores, threshold: Self.threshold))]
  }
}
