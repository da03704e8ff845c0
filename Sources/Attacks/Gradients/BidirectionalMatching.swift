package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// A14d: one text that explains both directions of a training exchange, found by descent: BiSR's combined step. The states of the text have to be those
/// that the client sent, and its tokens, as labels of the rows before them, have to cause the gradient that the client returned.
///
///     min_Z Σ_t ½ (F_p(X)_t − y_t)² / (σ_h² + γ s_t v)  +  w ½ ‖g‖² d(αG(S), g) / (σ_g² + γ ‖g‖²/TC)  −  λ Σ_t Σ_k S_tk ln p_tk
///
/// X = S E, S = softmax(Z/τ) over K candidates a position. Both terms are in nats of their own noise, so where one channel is noisy the other
/// decides. The first token has no label and is decided by the forward term alone. Randomness: the draws by which `ExpectedScale` measures the size of a
/// gradient, from the attacker's seed.
package struct BidirectionalMatching: Attack {
  package static let description = MethodDescription(
    name: "bidirectional-matching", summary: "one soft text that explains the states sent and the gradient returned, by descent",
    paper: "BiSR(b+f), the combined step of SplitLLM (Chen et al. 2024)",
    deviations:
      "both terms at once in place of one after the other, each divided by its noise; the forward term is a likelihood and not a cosine; anchors in "
      + "place of a trained inverter (SIP); candidate lists; the victim's own prediction as prior; temperature annealed; mixtures that are "
      + "left are repaired",
    cost:
      "a step: one forward and one backward pass through p blocks, three forward and one backward through q; about ten such steps for every "
      + "position that is left a mixture; anchors once per cut",
    knowledge: .k2, channels: [.outputGradients, .outputHiddenStates, .inputHiddenStates],
    settings: [
      "steps": "of Adam, default 120", "learning_rate": "of the first step, a tenth at the end, default 0.15",
      "candidates": "K, tokens listed per position, default 256; 0 lists the whole vocabulary",
      "backward_weight": "w, default 1; 0 leaves the forward term alone",
      "prior_weight": "λ, default 1",
      "temperature_start": "τ at first, default 0.5", "temperature_end": "τ at last, default 0.05",
      "repair":
        "true (default): where a mixture is left, listed tokens are tried one by one under the same loss; false: argmax Z, as published",
      "budget_seconds": "stop the steps after so long, default never",
    ])

  package static let rules: [String: SettingRule] = [
    "steps": .integer(1...100_000), "learning_rate": .number(1e-6...100), "candidates": .integer(0...1 << 20),
    "backward_weight": .number(0...1000), "prior_weight": .number(0...10), "temperature_start": .number(1e-3...100),
    "temperature_end": .number(1e-3...100), "budget_seconds": .number(0.001...1e6), "repair": .flag,
  ]

  private let steps: Int
  private let rate: Float
  private let candidates: Int
  private let backwardWeight: Double
  private let priorWeight: Float
  private let temperatures: (first: Float, last: Float)
  private let budget: Double?
  private let repairs: Bool

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    steps = try reader.integer("steps", default: 120, in: 1...100_000)
    rate = Float(try reader.real("learning_rate", default: 0.15, in: 1e-6...100))
    candidates = try reader.integer("candidates", default: 256, in: 0...1 << 20)
    backwardWeight = try reader.real("backward_weight", default: 1, in: 0...1000)
    priorWeight = Float(try reader.real("prior_weight", default: 1, in: 0...10))
    temperatures = (
      Float(try reader.real("temperature_start", default: 0.5, in: 1e-3...100)),
      Float(try reader.real("temperature_end", default: 0.05, in: 1e-3...100))
    )
    repairs = try DiscretisationSettings.flag("repair", settings, of: Self.description.name)
    budget = settings["budget_seconds"] == nil ? nil : try reader.real("budget_seconds", default: 1, in: 0.001...1e6)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let started = Date()
    let returned = try CutGradients(view, means, attack: Self.description.name)
    let sent = try view.required(.inputHiddenStates, by: Self.description.name)
    try view.checkRows(sent.values, "states at the input cut", width: means.model.configuration.hiddenSize, Self.description.name)
    let sigma = NoiseEstimate.sigma(of: view, means)
    let deadline = budget.map { started.addingTimeInterval($0) }
    var found = Reconstruction(tokens: [])
    for document in 0..<view.documents {
      let rows = view.range(of: document)
      guard !rows.isEmpty else {
        found.tokens.append([])
        continue
      }
      let chunk = InversionChunk(
        documents: document..<document + 1, rows: rows, batch: PackedBatch(lengths: [rows.count]), observed: sent.values.slice(rows),
        noise: sent.noise, sigma: sigma, inputBlocks: view.partition.input)
      let (text, forwards) = try text(chunk, returned, means, deadline) { done in
        try progress((Double(rows.lowerBound) + done * Double(rows.count)) / Double(view.tokens))
      }
      found.tokens.append(text)
      found.cost.candidateForwards += forwards
    }
    found.cost.seconds = Date().timeIntervalSince(started)
    return found
  }

  /// The tokens of the document of `chunk`, and how many rows went through the client's first blocks.
  private func text(
    _ chunk: InversionChunk, _ returned: CutGradients, _ means: AttackerMeans, _ deadline: Date?, progress: (Double) throws -> Void
  ) throws -> (tokens: [Int32], forwards: Int) {
    let configuration = means.model.configuration
    let head = LabelTable.of(means).weights
    let (backward, labels) = try backward(chunk, returned, head, means)
    let count = candidates == 0 ? configuration.vocabularySize : min(candidates, configuration.vocabularySize)
    let start = BidirectionalStart(chunk, labels, count: count, means)
    var text = BidirectionalText(
      SoftTokens(
        values: start.scores.map { $0 * temperatures.first }, candidates: start.ids, count: count, temperatures: temperatures,
        table: EmbeddingNeighbours.of(means).table, width: configuration.hiddenSize,
        cost: priorWeight > 0 ? start.prior.scaled(by: -priorWeight) : nil),
      backward, head: head)
    let loss = CutLoss(
      chunk.observed, chunk.noise, sigma: chunk.sigma, variance: ChannelVariance.at(chunk.inputBlocks, means))
    var loop = InversionLoop(means.model.stack[0..<chunk.inputBlocks], loss, chunk.batch, iterations: steps, rate: rate)
    // At the floor of the states' noise the gradient still has something to say.
    (loop.deadline, loop.stopsAtFloor) = (deadline, backward == nil)
    let outcome = try loop.run(&text, progress: progress)
    guard text.values.allSatisfy(\.isFinite) else {
      throw Fault(
        .invalidData,
        "\(Self.description.name): what was observed of document \(chunk.documents.lowerBound) is too large or too small to match")
    }
    let forwards = (outcome.iterations + 1) * chunk.rows.count
    guard repairs else { return (text.tokens, forwards) }
    let repair = BidirectionalRepair(loop: loop, neighbours: .of(means))
    let (tokens, evaluations) = try repair.tokens(text) { try progress(1) }
    return (tokens, forwards + evaluations * chunk.rows.count)
  }

  /// The backward term of a document, and what it proposes as labels; nil for a document of one token.
  private func backward(_ chunk: InversionChunk, _ returned: CutGradients, _ head: Matrix, _ means: AttackerMeans) throws -> (
    BackwardTerm?, LabelScores?
  ) {
    let (rows, document) = (chunk.rows, chunk.documents.lowerBound)
    guard rows.count > 1 else { return (nil, nil) }
    let model = SoftLabelGradient(returned.stack, means.model.head, returned.states.slice(rows))
    guard model.output.values.allSatisfy({ $0.magnitude < 1e15 }) else {
      throw Fault(.invalidData, "\(Self.description.name): the states of document \(document) overflow behind the cut")
    }
    let sent = returned.gradients.slice(rows)
    let scores = LabelScores(model, sent, head, means)
    guard backwardWeight > 0 else { return (nil, scores) }
    let scales = try returned.scales(document, rows, means)
    return (BackwardTerm(model, sent, sigma: returned.deviation(rows), scales: scales, weight: backwardWeight), scores)
  }
}
