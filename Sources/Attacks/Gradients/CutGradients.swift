import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// What a server holds of one training exchange at the output cut: h_B, which it made, and ∂L/∂h_B, which came back for it; checked.
struct CutGradients {
  /// h_B and ∂L/∂h_B [N, C].
  let states: Matrix
  let gradients: Matrix
  /// The client's blocks behind the cut.
  let stack: BlockStack
  /// Labels of the message that each document travelled in: every token but first ones. The loss of a message is usually divided by it.
  let labels: [Int]
  /// Deviation of the noise on every gradient coordinate; 0 without noise.
  let sigma: Double
  /// Bound on the norm of a document's whole gradient; nil without.
  let clip: Double?

  /// Share of a document's gradient RMS that storage and rounding may add to any coordinate.
  static let rounding = 1e-3

  /// Throws `Fault` 65 for a missing channel, and for tensors, documents or messages that are not of this model or do not fit each other.
  init(_ view: AdversaryView, _ means: AttackerMeans, attack: String) throws {
    let observed = try view.required(.outputGradients, by: attack)
    (gradients, states) = (observed.values, try view.required(.outputHiddenStates, by: attack).values)
    let configuration = means.model.configuration
    try view.checkLayout(attack)
    try view.checkRows(gradients, "gradients at the output cut", width: configuration.hiddenSize, attack)
    try view.checkRows(states, "states at the output cut", width: configuration.hiddenSize, attack)
    let blocks = configuration.blocks
    guard view.partition.output >= 0, view.partition.input >= 0, view.partition.output + view.partition.input <= blocks else {
      throw Fault(
        .invalidData, "\(attack): \(view.partition.input) and \(view.partition.output) client blocks of a model of \(blocks)",
        hint: "attack with the checkpoint that the view names")
    }
    stack = means.model.stack[blocks - view.partition.output..<blocks].merged()
    labels = zip(view.messages, view.messages.dropFirst()).flatMap { first, end in
      let count = (first..<end).reduce(0) { $0 + max(0, view.range(of: $1).count - 1) }
      return [Int](repeating: max(1, count), count: end - first)
    }
    clip = observed.noise.clip
    sigma = observed.noise.sigma ?? Self.estimate(gradients, view)
  }

  /// A withheld deviation: the last row of a document has no label, so all that is there is noise.
  private static func estimate(_ gradients: Matrix, _ view: AdversaryView) -> Double {
    let rows = (0..<view.documents).map(view.range).filter { !$0.isEmpty }.map { $0.upperBound - 1 }
    let squares = rows.reduce(0.0) { $0 + gradients[row: $1].reduce(0.0) { $0 + Double($1) * Double($1) } }
    return (squares / Double(max(1, rows.count * gradients.columns))).squareRoot()
  }

  /// σ that a document's likelihood reckons with: that of the noise, and at least what rounding adds to its gradient.
  func deviation(_ rows: Range<Int>) -> Double {
    let values = gradients.values[rows.lowerBound * gradients.columns..<rows.upperBound * gradients.columns]
    let mean = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, values.count))
    return max(sigma, Self.rounding * mean.squareRoot(), 1e-30)
  }
}

extension AdversaryView {
  /// Throws `Fault` 65 unless `matrix` has one row of `width` values a token, each a number whose squares, summed over a row, stay finite in f32.
  func checkRows(_ matrix: Matrix, _ name: String, width: Int, _ attack: String) throws {
    guard matrix.rows == tokens, matrix.columns == width else {
      throw Fault(.invalidData, "\(attack): \(name) are [\(matrix.rows), \(matrix.columns)], expected [\(tokens), \(width)]")
    }
    if let bad = matrix.values.first(where: { !($0.magnitude < 1e15) }) {
      throw Fault(.invalidData, "\(attack): \(name) hold the value \(bad)")
    }
  }

  /// Checks that documents and messages cover each other, for views that did not come from a file.
  func checkLayout(_ attack: String) throws {
    func rises(_ x: [Int]) -> Bool { x.first == 0 && zip(x, x.dropFirst()).allSatisfy { $0 <= $1 } }
    guard rises(offsets), rises(messages), messages.last == documents else {
      throw Fault(.invalidData, "\(attack): messages \(messages.prefix(8))… do not cover the \(documents) documents of the view")
    }
  }
}
