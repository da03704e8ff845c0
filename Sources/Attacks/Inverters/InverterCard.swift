import Audit
import Foundation

/// The model card of a stored inverter.
enum InverterCard {
  static func text(_ inverter: TrainedInverter, _ key: InverterKey, _ recipe: InverterRecipe, _ task: InverterTask) -> String {
    let report = inverter.report
    func percent(_ x: Double) -> String { String(format: "%.1f %%", 100 * x) }
    let noise =
      task.sigma > 0
      ? "\(task.noise.law.rawValue), s = \(task.sigma)\(task.noise.sigma == nil ? " (estimated)" : "")" : task.noise.law.rawValue
    let source = task.cache.map { "\($0.tensors.rawValue) of block \($0.block)" } ?? "the hidden states"
    return """
      # Inverter \(key.sha256.prefix(12))

      Reads tokens from \(source), sent after \(task.inputBlocks) blocks\(task.pooling == .none ? "" : ", pooled by \(task.pooling.rawValue)").

      | | |
      |---|---|
      | architecture | \(recipe.architecture.rawValue), width \(recipe.width)\(inverter.network.gate == nil ? "" : inverter.mode == .gated ? ", read by its gate" : ", read by expert \(inverter.mode.text) alone, which knows held-out text better than the gate") |
      | noise it is trained for | \(noise) |
      | trained on | public text of the plan, passages with a quarter of the tokens replaced, random tokens |
      | cost | \(report.steps) steps of \(recipe.rowsPerStep) positions, \(String(format: "%.0f", report.seconds)) s\(report.hitBudget ? ", cut short by its budget" : "") |
      | learning rate, temperature | \(report.rate), \(inverter.temperature) (chosen on held-out public text) |
      | held-out public text | \(percent(report.heldOutAccuracy)) of tokens, \(String(format: "%.3f", report.heldOutNats)) nats a token, first positions aside |

      The name of the folder is the SHA-256 of these lines:

      \(key.facts.map { "    " + $0 }.joined(separator: "\n"))

      """
  }
}
