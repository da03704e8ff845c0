import Audit

/// An attack on a channel, and what a reader has to know about it.
struct AttackName: Sendable, Hashable {
  /// As in the record, `sequential-matching`.
  var name: String
  var channel: String

  /// Never looks at what was observed.
  var isBaseline: Bool

  /// Guesses that never look at what was observed. Every other name counts as an attack, so that an unknown one is never played down.
  private static let baselines: Set<String> = ["uniform", "unigram", "language-model", "constant", "constant-guess", "shuffled-label"]

  /// Whether the attack is a guess that does not look, by the record's own description or, without one, by the names above.
  static func isBaseline(_ name: String, _ record: AuditRecord) -> Bool {
    description(of: name, record)?.isBaseline ?? baselines.contains(name)
  }

  /// The record's description of an attack. A label is the name, or the name with settings behind it: `nearest-embedding-cosine`.
  static func description(of label: String, _ record: AuditRecord) -> MethodDescription? {
    let fitting = (record.attacks ?? []).filter { label == $0.name || label.hasPrefix($0.name + "-") }
    return fitting.max { $0.name.utf8.count < $1.name.utf8.count }
  }
}
