/// One multiple-choice example: a prompt, and the verbalised answers of which one completes it.
package struct TaskExample: Sendable, Hashable, Identifiable {
  /// The number or key within its file; unique there.
  package var id: String
  /// The examples that are judged together: the question of MultiRC's answer options, elsewhere the example's own `id`.
  package var group: String
  /// The text the example was made of: the passage of MultiRC and ReCoRD, elsewhere the example's own `id`.
  package var source: String
  /// Everything before the answer, without a blank at its end.
  package var prompt: String
  /// At least one answer, each with the blank that divides it from the prompt.
  package var choices: [String]
  /// Index of the right choice.
  package var label: Int
  /// Indices of all choices that count as right, ascending; more than `label` in ReCoRD only.
  package var accepted: [Int]

  /// `group` and `source` default to `id`, `accepted` to `label` alone. Traps unless `label` and `accepted` are indices of `choices`.
  package init(
    id: String, group: String? = nil, source: String? = nil, prompt: String, choices: [String], label: Int, accepted: [Int]? = nil
  ) {
    let accepted = accepted ?? [label]
    precondition(accepted.contains(label) && accepted.allSatisfy(choices.indices.contains), "label \(label) of \(choices.count) choices")
    (self.id, self.group, self.source) = (id, group ?? id, source ?? id)
    (self.prompt, self.choices, self.label, self.accepted) = (prompt, choices, label, accepted.sorted())
  }

  /// The right answer, as it follows the prompt.
  package var answer: String { choices[label] }
}
