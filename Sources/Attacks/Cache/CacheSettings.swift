import Audit

/// What attacks on a cache can be told: which block, which tensors, and how candidates are searched.
struct CacheSettings: Sendable {
  static let texts = [
    "block": "first (default), middle or last of the recorded blocks, or its number",
    "tensors": "keys-and-values (default), keys, values or queries-keys-and-values (not in a cache: a server at work has queries too)",
    "beam": "hypotheses kept per document, default 1",
    "prior_weight": "λ, default 1",
    "max_candidates": "most candidates evaluated per position, default 4096; cache-inversion under noise 128",
  ]

  static let rules: [String: SettingRule] = [
    "block": .text, "tensors": .choice(CachedTensors.Tensors.allCases.map(\.rawValue)), "beam": .integer(1...64),
    "prior_weight": .number(0...10), "max_candidates": .integer(1...(1 << 30)),
  ]

  let place: String
  let tensors: CachedTensors.Tensors
  private let clean: SequentialMatching
  private let noisy: SequentialMatching

  /// - Parameter underNoise: most candidates a position where the states were noisy, unless the plan says how many.
  init(_ settings: [String: SettingValue], of attack: String, underNoise: Int = mostCandidates) throws {
    place = settings["block"]?.label ?? "first"
    tensors = try SettingReader(settings, of: attack).choice("tensors", default: .keysAndValues)
    let inner = settings.filter { ["beam", "prior_weight", "max_candidates"].contains($0.key) }
    func matching(most: Int) throws -> SequentialMatching {
      try SequentialMatching(inner.merging(["max_candidates": .number(Double(most))]) { asked, _ in asked })
    }
    (clean, noisy) = (try matching(most: Self.mostCandidates), try matching(most: underNoise))
  }

  static let mostCandidates = 4096

  /// The search for what was cached of `view`.
  func matching(_ view: AdversaryView) -> SequentialMatching { view.inputNoise.law == .none ? clean : noisy }
}
