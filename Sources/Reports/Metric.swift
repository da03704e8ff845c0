/// How a metric is named and printed.
struct Metric: Sendable, Hashable {
  /// As in the record, `token_accuracy`.
  var name: String

  /// Metrics that are fractions and print as per cent.
  private static let fractions: Set<String> = [
    "token_accuracy", "exact_match", "rouge1_f", "rouge1_f_matched", "rouge2_f", "rougeL_f", "bag_f1", "bleu4_unsmoothed", "top5_accuracy",
    "top10_accuracy", "rare_token_accuracy", "content_word_accuracy", "label_accuracy", "response_accuracy",
  ]
  private static let titles = [
    "token_accuracy": "Token accuracy", "exact_match": "Exact match", "bits_per_token": "Bits leaked per token", "rouge1_f": "ROUGE-1 F",
    "rouge1_f_matched": "ROUGE-1 F, texts of a message in their best order",
    "rouge2_f": "ROUGE-2 F", "rougeL_f": "ROUGE-L F", "bleu4": "BLEU-4 (of 100)", "bleu4_unsmoothed": "BLEU-4, unsmoothed",
    "bag_f1": "Bag of tokens F1", "rare_token_accuracy": "Rare tokens read", "content_word_accuracy": "Content words read",
    "label_accuracy": "Training labels read", "response_accuracy": "Tokens of the answer read",
    "pii_recall": "Personal data read", "pii_recall_fuzzy": "Personal data read, one character off",
    "canary_exposure": "Canary exposure, bits",
    "edit_distance": "Edit distance, tokens", "char_edit_distance": "Edit distance, characters", "perplexity": "Perplexity",
  ]

  /// The metrics a verdict may rest on, best first.
  static let primary = ["token_accuracy", "exact_match", "rouge1_f", "bag_f1"].map(Metric.init)
  static let exactMatch = Metric(name: "exact_match")
  static let bits = Metric(name: "bits_per_token")

  var isFraction: Bool { Self.fractions.contains(name) || name.hasPrefix("pii_recall") }
  var title: String {
    if let title = Self.titles[name] { return title }
    return name.hasPrefix("pii_recall_") ? "Personal data read: \(name.dropFirst(11))" : name
  }

  /// What a fraction of this metric counts, for a sentence: `of the tokens`.
  var ofWhat: String {
    switch name {
    case "token_accuracy": "of the tokens"
    case "exact_match": "of the documents word for word"
    default: "(\(title))"
    }
  }

  func text(_ value: Double) -> String {
    if isFraction { return NumberText.percent(value) }
    return self == .bits && abs(value) < 1e6 ? NumberText.fixed(value, 2) : NumberText.figures(value)
  }

  func interval(_ score: Score) -> String {
    if isFraction { return NumberText.percentInterval(score.low, score.high) }
    return "[\(text(score.low)), \(text(score.high))]"
  }

  /// The gain with its interval, where the record has one.
  func gain(_ value: Double, _ score: Score) -> String {
    guard let low = score.gainLow, let high = score.gainHigh else { return difference(value) }
    return "\(difference(value)) [\(difference(low)), \(difference(high))]"
  }

  /// A difference with its sign: percentage points for fractions.
  func difference(_ value: Double) -> String {
    if isFraction { return NumberText.points(value) }
    return value > 0 ? "+" + text(value) : text(value)
  }
}
