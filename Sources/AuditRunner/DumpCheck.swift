package import Audit
import Diagnostics
import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning

/// Whether a view from a file can be attacked with what is at hand: each refusal says what was expected, what was found and what to do.
package enum DumpCheck {
  /// Refuses a view of other weights, another tokenizer, another width, a cut that does not fit the model or that the plan does not have, a
  /// channel that an attack of the plan needs and the view lacks, and a noise level that the states themselves contradict.
  package static func check(_ view: AdversaryView, plan: AuditPlan, loaded: LoadedModel, path: String) throws {
    do {
      guard view.identity.checkpointSHA256 == loaded.description.sha256 else {
        throw ViewFault.foreignCheckpoint(expected: loaded.description.sha256, found: view.identity.checkpointSHA256)
      }
      guard view.identity.tokenizerSHA256 == loaded.description.tokenizerSHA256 else {
        throw Fault(
          .invalidData,
          "the view was recorded with tokenizer \(view.identity.tokenizerSHA256.prefix(12))…, but the one at hand is "
            + "\(loaded.description.tokenizerSHA256.prefix(12))…", hint: "attack with the checkpoint that the view was recorded from")
      }
      _ = try view.partition.validated(blocks: loaded.model.configuration.blocks)
      // Tensors inside a block and weight gradients have widths of their own; their attacks check them.
      for (channel, observation) in view.observations
      where RecordPlan.recordable.contains(channel) && observation.values.columns != loaded.model.configuration.hiddenSize {
        throw Fault(
          .invalidData, "\(channel.rawValue) is \(observation.values.columns) wide, the model \(loaded.model.configuration.hiddenSize)")
      }
      try checkCut(view, plan)
      try checkChannels(view, plan)
      for (channel, observation) in view.observations { try checkScale(channel, observation) }
    } catch let fault as Fault {
      throw fault.located(at: path)
    }
  }

  private static func checkCut(_ view: AdversaryView, _ plan: AuditPlan) throws {
    let cuts = Set(try plan.cells().map(\.partition))
    guard !cuts.contains(view.partition) else { return }
    let known = cuts.sorted { ($0.input, $0.output) < ($1.input, $1.output) }.map { "p = \($0.input), q = \($0.output)" }
    throw Fault(
      .invalidData,
      "the view was cut at p = \(view.partition.input), q = \(view.partition.output), the plan has \(known.joined(separator: "; "))",
      hint:
        "if the plan is meant: --set model.partition.input=\(view.partition.input) --set model.partition.output=\(view.partition.output)")
  }

  private static func checkChannels(_ view: AdversaryView, _ plan: AuditPlan) throws {
    let granted = plan.threatModel.channels
    for entry in plan.attacks {
      guard case .own(let attack) = try AttackRoster.make(entry) else { continue }
      for channel in attack.reads where channel != .lengths {
        guard granted.contains(channel) else {
          throw Fault(
            .invalidData, "attack \"\(entry.label)\" reads \(channel.rawValue), which the plan's threat model does not grant",
            hint: "grant it in threat_model.channels, if the adversary sees it")
        }
        _ = try view.required(channel, by: entry.label)
      }
    }
  }

  /// Noise of σ alone has a row RMS of σ within a few per cent, and states only add to it. Rows whose median RMS is under 0.7 σ cannot have had that
  /// noise added.
  private static func checkScale(_ channel: Channel, _ observation: Observation) throws {
    let (noise, values) = (observation.noise, observation.values)
    guard noise.law == .gaussian || noise.law == .laplace, let sigma = noise.sigma, sigma > 0, values.rows > 0 else { return }
    let rms = (0..<values.rows).map { row in
      (values[row: row].reduce(0.0) { $0 + Double($1) * Double($1) } / Double(values.columns)).squareRoot()
    }.sorted()[values.rows / 2]
    guard rms < 0.7 * sigma else { return }
    throw Fault(
      .invalidData,
      "\(channel.rawValue) states noise of σ = \(text(sigma)) a coordinate, but its rows have a root mean square of \(text(rms))",
      hint: "noise_sigma is the standard deviation of one coordinate in activation units, not of a row and not relative to the states")
  }

  static func text(_ value: Double) -> String {
    value.formatted(.number.precision(.significantDigits(1...3)).locale(Locale(identifier: "en_US_POSIX")))
  }
}
