/// One example of free text: a prompt, and the texts of which any may follow it.
package struct GenerationExample: Sendable, Hashable, Identifiable {
  /// The key within its data set; unique there.
  package var id: String
  /// The text the example was made of: the story of CoQA's turns, the paper of its summaries, elsewhere the example's own `id`.
  package var source: String
  /// Everything before the answer, without a blank at its end.
  package var prompt: String
  /// At least one text of one line, each with the blank that divides it from the prompt; the first is what is trained on.
  package var references: [String]

  /// `source` defaults to `id`. Traps without a reference.
  package init(id: String, source: String? = nil, prompt: String, references: [String]) {
    precondition(!references.isEmpty, "the example \(id) has no reference")
    (self.id, self.source, self.prompt, self.references) = (id, source ?? id, prompt, references)
  }

  /// The text that is trained on, as it follows the prompt.
  package var answer: String { references[0] }
}
