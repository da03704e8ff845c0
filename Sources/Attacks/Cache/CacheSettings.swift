import Audit

/// What attacks on a cache can be told: which block, which tensors, and how candidates are searched.
struct CacheSettings: Sendable {
  static let texts = [
    "block": "first (default), middle or last of the recorded blocks, or its number",
    "tensors": "keys-and-values (default), keys, values or queries-keys-and-values", "beam": "hypotheses kept per document, default 1",
    "prior_weight": "λ, default 1", "max_candidates": "most candidates evaluated per position, default 4096",
  ]

  static let rules: [String: SettingRule] = [
    "block": .text, "tensors": .choice(CachedTensors.Tensors.allCases.map(\.rawValue)), "beam": .integer(1...64),
    "prior_weight": .number(0...10), "max_candidates": .integer(1...(1 << 30)),
  ]

  let place: String
  let tensors: CachedTensors.Tensors
  let matching: SequentialMatching

  init(_ settings: [String: SettingValue], of attack: String) throws {
    place = settings["block"]?.label ?? "first"
    tensors = try SettingReader(settings, of: attack).choice("tensors", default: .keysAndValues)
    var inner = settings.filter { ["beam", "prior_weight", "max_candidates"].contains($0.key) }
    inner["max_candidates"] = inner["max_candidates"] ?? .number(4096)
    matching = try SequentialMatching(inner)
  }
}
