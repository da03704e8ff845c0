import Diagnostics

/// ACLSum (Takeshita et al. 2024): abstract, introduction and conclusion of a paper, and summaries of its challenge, approach and outcome.
struct ACLSum: Decodable {
  struct Sections: Decodable {
    var abstract: [String]?
    var introduction: [String]?
    var conclusion: [String]?
  }

  struct Summaries: Decodable {
    var challenge: String?
    var approach: String?
    var outcome: String?
  }

  var id: String
  var sentences: Sections
  var summary: Summaries

  /// One example per aspect that has a summary. Throws `Fault` 65 at `place` for an id that is none, a paper without text, a blank summary
  /// and a paper without a summary.
  func examples(at place: String) throws -> [GenerationExample] {
    let id = try PlainText.checked(id: id, at: place)
    let sections = [sentences.abstract, sentences.introduction, sentences.conclusion]
    let text = PlainText.oneLine(sections.compactMap { $0 }.joined().joined(separator: " "))
    guard !text.isEmpty else { throw Fault(.invalidData, "the paper \(id) has no text", at: place) }
    let aspects = [("challenge", summary.challenge), ("approach", summary.approach), ("outcome", summary.outcome)]
    let examples = try aspects.compactMap { aspect, summary -> GenerationExample? in
      guard let summary else { return nil }
      guard let reference = PlainText.reference(summary) else {
        throw Fault(.invalidData, "the summary of the \(aspect) of \(id) is empty", at: place)
      }
      return GenerationExample(
        id: "\(id)/\(aspect)", source: id, prompt: "Paper: \(text)\nSummary of the \(aspect) in one sentence:", references: [reference])
    }
    guard !examples.isEmpty else { throw Fault(.invalidData, "the paper \(id) has no summary", at: place) }
    return examples
  }
}
