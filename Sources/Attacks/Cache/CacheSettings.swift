import Audit
import Foundation
import Kernels
import Llama

/// What attacks on a cache can be told: which block, which tensors, and how candidates are searched.
struct CacheSettings: Sendable {
  static let texts = [
    "block": "first (default), middle or last of the recorded blocks, or its number",
    "tensors": "keys-and-values (default), keys, values or queries-keys-and-values (not in a cache: a server at work has queries too)",
    "beam": "hypotheses kept per document, default 1",
    "prior_weight": "λ, default 1",
    "max_candidates": "most candidates evaluated per position, default 4096; 128 under noise",
    "candidates":
      "in which order: proposals (default), of anchors and language model; inverter, of the cache's learned-inverter with architecture gru in the anchors' place, trained where it is not stored",
  ]

  static let rules: [String: SettingRule] = [
    "block": .text, "tensors": .choice(CachedTensors.Tensors.allCases.map(\.rawValue)), "beam": .integer(1...64),
    "prior_weight": .number(0...10), "max_candidates": .integer(1...(1 << 30)),
    "candidates": .choice([SequentialMatching.Candidates.proposals, .inverter].map(\.rawValue)),
  ]

  let place: String
  let tensors: CachedTensors.Tensors
  private let clean: SequentialMatching
  private let noisy: SequentialMatching

  init(_ settings: [String: SettingValue], of attack: String) throws {
    place = settings["block"]?.label ?? "first"
    tensors = try SettingReader(settings, of: attack).choice("tensors", default: .keysAndValues)
    let inner = settings.filter { ["beam", "prior_weight", "max_candidates", "candidates"].contains($0.key) }
    func matching(most: Int) throws -> SequentialMatching {
      try SequentialMatching(inner.merging(["max_candidates": .number(Double(most))]) { asked, _ in asked })
    }
    (clean, noisy) = (try matching(most: Self.mostCandidates), try matching(most: Self.mostUnderNoise))
  }

  private static let mostCandidates = 4096
  /// What `learned-inverter` has by default: deep in the model a token is read from its neighbours' states too.
  private static let recurrentWidth = 256
  /// Under noise more candidates than the proposals' first are only more wrong ones. At relative noise 4.5 and p = 1 / 2, inversion of 52 private
  /// passages reads 43.2 / 40.3 % of the tokens with 128 and 43.3 / 39.4 % with 512 in up to twice the time; collision on 16 public ones 83.0 / 74.9 %
  /// with 128, 83.0 / 74.4 % with 512 and with 2048 in 1.7 and 2.2 times the time.
  private static let mostUnderNoise = 128

  /// One pass over all documents: candidates go through the blocks before the cache, their features are compared with `observed`.
  /// - Parameters:
  ///   - seen: the cache, which an inverter reads as it is.
  ///   - observed: [N, columns] as `likelihood` compares it.
  func decode(
    _ view: AdversaryView, _ seen: CachedTensors, _ observed: Matrix, _ likelihood: CandidateLikelihood, _ means: AttackerMeans,
    _ progress: (Double) throws -> Void
  ) throws -> Reconstruction {
    let started = Date()
    let search = view.inputNoise.law == .none ? clean : noisy
    var order: CandidateOrder?
    if search.candidates == .inverter {
      let settings = try InverterSettings(SettingReader([:], of: LearnedInverter.description.name))
      let task = InverterTask(view, cache: seen.cut)
      let recipe = settings.recipe(.gru, width: Self.recurrentWidth, isMatched: false, task)
      let inverter = try means.inverter(recipe, task) { _ in try progress(0) }
      order = CandidateOrder(seen.block, likelihood, inverter: inverter, means)
    }
    // An inverter that was trained before cost that training all the same.
    let earlier = max(0, (order?.inverter?.report.seconds ?? 0) - Date().timeIntervalSince(started))
    var (found, forwards) = try search.decode(
      view, observed, likelihood, means.model.stack[0..<seen.block], means, anchors: order, evidence: seen.observed, progress)
    found.cost = AttackCost(seconds: Date().timeIntervalSince(started) + earlier, candidateForwards: forwards)
    return found
  }
}
