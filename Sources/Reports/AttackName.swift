/// An attack on a channel, and what a reader has to know about it.
struct AttackName: Sendable, Hashable {
  /// As in the record, `sequential-matching`.
  var name: String
  var channel: String

  /// Guesses that never look at what was observed. Every other name counts as an attack, so that an unknown one is never played down.
  private static let baselines: Set<String> = ["uniform", "unigram", "language-model", "constant", "constant-guess", "shuffled-label"]

  private static let explanations = [
    "uniform": "guesses a random token; sees nothing",
    "unigram": "always guesses the most frequent tokens; sees nothing",
    "language-model": "continues the text with the language model; sees only the length",
    "nearest-embedding": "takes the token whose input embedding is closest to the observed state",
    "nearest-embedding-l2": "takes the token whose input embedding is closest (Euclidean) to the observed state",
    "nearest-embedding-cosine": "takes the token whose input embedding points the same way as the observed state",
    "head-reading": "reads the observed state with the model's own output head",
    "anchors": "compares the observed state with each token's state in calibrated contexts",
    "sequential-matching": "replays candidate tokens through the client's blocks, one position after another, and keeps those that fit best",
  ]

  var isBaseline: Bool { Self.baselines.contains(name) }
  var explanation: String? { Self.explanations[name] ?? Self.explanations.first { name.hasPrefix($0.key + "-") }?.value }
}
