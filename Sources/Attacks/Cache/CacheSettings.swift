import Audit

/// What attacks on a cache can be told: which block, which tensors, and how candidates are searched.
struct CacheSettings: Sendable {
  static let texts = [
    "block": "first (default), middle or last of the recorded blocks, or its number",
    "tensors": "keys-and-values (default), keys, values or queries-keys-and-values (not in a cache: a server at work has queries too)",
    "beam": "hypotheses kept per document, default 1",
    "prior_weight": "λ, default 1",
    "max_candidates": "most candidates evaluated per position, default 4096; 128 under noise",
  ]

  static let rules: [String: SettingRule] = [
    "block": .text, "tensors": .choice(CachedTensors.Tensors.allCases.map(\.rawValue)), "beam": .integer(1...64),
    "prior_weight": .number(0...10), "max_candidates": .integer(1...(1 << 30)),
  ]

  let place: String
  let tensors: CachedTensors.Tensors
  private let clean: SequentialMatching
  private let noisy: SequentialMatching

  init(_ settings: [String: SettingValue], of attack: String) throws {
    place = settings["block"]?.label ?? "first"
    tensors = try SettingReader(settings, of: attack).choice("tensors", default: .keysAndValues)
    let inner = settings.filter { ["beam", "prior_weight", "max_candidates"].contains($0.key) }
    func matching(most: Int) throws -> SequentialMatching {
      try SequentialMatching(inner.merging(["max_candidates": .number(Double(most))]) { asked, _ in asked })
    }
    (clean, noisy) = (try matching(most: Self.mostCandidates), try matching(most: Self.mostUnderNoise))
  }

  private static let mostCandidates = 4096
  /// Under noise more candidates than the proposals' first are only more wrong ones. At relative noise 4.5 and p = 1 / 2, inversion of 52 private
  /// passages reads 43.2 / 40.3 % of the tokens with 128 and 43.3 / 39.4 % with 512 in up to twice the time; collision on 16 public ones 83.0 / 74.9 %
  /// with 128, 83.0 / 74.4 % with 512 and with 2048 in 1.7 and 2.2 times the time.
  private static let mostUnderNoise = 128

  /// The search for what was cached of `view`.
  func matching(_ view: AdversaryView) -> SequentialMatching { view.inputNoise.law == .none ? clean : noisy }
}
