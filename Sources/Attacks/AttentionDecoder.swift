import SplitLearning
package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama

/// A4: FedSEA-LLaMA's own attack. A transformer decoder is trained on labelled states and reads the victim's.
///
/// `fedsea-compat` is the released attack: the last p blocks, norm and head of the public checkpoint under a causal mask, asked for the *next*
/// token, so that token t is never asked of the state that encodes it; what comes out is about as good as a language model's guess of the next
/// token. `aligned` asks every state for its own token and lets it attend to the whole sequence.
package struct AttentionDecoder: Attack {
  package static let description = MethodDescription(
    name: "attention-decoder",
    summary:
      "a transformer trained on labelled states, of a colluding client where there is one, else of public text, reads another client's",
    paper: "FedSEA-LLaMA, arXiv 2505.15683: its inversion attack",
    deviations:
      "the head stays frozen; aligned adds bidirectional attention, labels that belong to their own state, an input map fitted by regression, and passages with substituted tokens; larger batches and learning rates for a CPU's budget; without a colluding client the pairs come from public text",
    cost: "training of p blocks: some minutes a cut and noise level, kept in checkpoints/inverters; then one forward a passage",
    knowledge: .k1,
    channels: [.inputHiddenStates], family: .architecture,
    settings: [
      "mode": "aligned (default) or fedsea-compat",
      "initial": "where the blocks start: last (default) base blocks, or reversed: the client's own, last one first",
      "residual_scale":
        "what the outputs of the initial blocks are multiplied by, default 0 for aligned (the decoder starts as its input map), 1 for fedsea-compat",
      "input_map": "regression or none: what stands before the blocks, default regression for aligned, none for fedsea-compat",
      "steps": "training steps, default 200", "batch": "passages a step, default 16",
      "negatives":
        "tokens that stand for those a step does not ask for, 0: the whole vocabulary; default 4096",
      "learning_rate": "peak, default: chosen on held-out passages",
      "budget_seconds": "training ends by then, default 240",
      "synthetic": "passages with substituted tokens that are added, default 1024 for aligned, 0 for fedsea-compat",
    ])

  package static let rules: [String: SettingRule] = [
    "mode": .choice(InversionDecoder.Mode.allCases.map(\.rawValue)), "initial": .choice(DecoderTraining.Initial.allCases.map(\.rawValue)),
    "residual_scale": .number(0...1), "input_map": .choice(Map.allCases.map(\.rawValue)), "steps": .integer(0...1_000_000),
    "batch": .integer(1...1024), "negatives": .integer(0...1_000_000), "learning_rate": .number(1e-7...1),
    "budget_seconds": .number(1...1e6),
    "synthetic": .integer(0...100_000),
  ]

  private enum Map: String, CaseIterable { case regression, none }

  private let training: DecoderTraining
  private let synthetic: Int

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    let mode = try reader.choice("mode", default: InversionDecoder.Mode.aligned)
    let isAligned = mode == .aligned
    let negatives = try reader.integer("negatives", default: 4096, in: 0...1_000_000)
    training = DecoderTraining(
      mode: mode, initial: try reader.choice("initial", default: .last),
      residualScale: try reader.real("residual_scale", default: isAligned ? 0 : 1, in: 0...1),
      hasInputMap: try reader.choice("input_map", default: isAligned ? Map.regression : .none) == .regression,
      steps: try reader.integer("steps", default: 200, in: 0...1_000_000), batch: try reader.integer("batch", default: 16, in: 1...1024),
      negatives: negatives > 0 ? negatives : nil,
      learningRate: settings["learning_rate"] == nil ? nil : try reader.real("learning_rate", default: 0, in: 1e-7...1),
      budgetSeconds: try reader.real("budget_seconds", default: 240, in: 1...1e6))
    synthetic = try reader.integer("synthetic", default: isAligned ? 1024 : 0, in: 0...100_000)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let (started, compute) = (Date(), means.model.compute)
    let trained = try trained(view, with: means) { try progress(0.95 * $0) }
    let (decoder, reading) = (trained.decoder, Date())
    let outputs = decoder.outputs(observation.values, PackedBatch(lengths: (0..<view.documents).map { view.range(of: $0).count }))
    let prior = training.mode == .fedseaCompat ? Unigram.of(means).logProbabilities : []
    let firstRows = Set(view.offsets.dropLast())
    var found = try ScoreTable.reconstruct(view, outputs, calibrated: true, compute, { try progress(0.95 + 0.05 * $0) }) { own, rows in
      guard training.mode == .fedseaCompat else { return decoder.scores(own) }
      // The guess for position t + 1 is read at t. Nothing is read for a first position: it gets the most frequent token of public text.
      var scores = decoder.scores(compute.gather(outputs, rows: rows.map { max(0, $0 - 1) }[...]))
      for (i, row) in rows.enumerated() where firstRows.contains(row) { scores[row: i] = prior[...] }
      return scores
    }
    found.cost.seconds = max(Date().timeIntervalSince(started), trained.seconds + Date().timeIntervalSince(reading))
    if trained.steps < training.steps {
      found.notes.append(
        "its budget ended training early, after \(trained.steps) of \(training.steps) steps: another machine gets another result")
    }
    return found
  }

  /// The decoder for the cut and noise of `view` and for the training set that `means` give: from memory, from the store, or trained now (and
  /// stored). Of the states of `view` only their variance is used, where σ is withheld.
  package func trained(
    _ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void
  ) throws -> TrainedDecoder {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    var law = NoiseLaw(statement: observation.noise, sigma: nil)
    if observation.noise.law.drawsNoise, observation.noise.sigma == nil { law.sigma = NoiseEstimate.trainingSigma(of: view, means) }
    let pairs = means.collusion.map { DecoderPairs($0, isClean: false).fingerprint }
    let key = InverterKey(training, law, inputBlocks: view.partition.input, synthetic: synthetic, pairs: pairs, means)
    return try means.memory.table("attention-decoder/\(key.sha256)") {
      if let stored = means.inverters?.decoder(key, like: training.form(means.model, inputBlocks: view.partition.input)) { return stored }
      let curriculum = try DecoderCurriculum(like: view, observation, law, means: means, synthetic: synthetic)
      let made = try training.outcome(
        curriculum, model: means.model, inputBlocks: view.partition.input, seed: means.trainingSeed,
        resumed: { means.inverters?.interrupted(key, from: $0, trials: training.trials, steps: training.steps) },
        save: { try means.inverters?.save(interrupted: $0, key) }, progress: progress)
      try means.inverters?.save(made, key)
      return made
    }
  }
}
