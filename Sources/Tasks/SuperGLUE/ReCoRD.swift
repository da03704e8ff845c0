import Diagnostics

/// ReCoRD (Zhang et al. 2018): which entity of the passage stands at a query's @placeholder?
struct ReCoRD: Decodable {
  /// Unicode scalars of the passage from `start` to `end`, both included.
  struct Entity: Decodable {
    var start: Int
    var end: Int
  }

  struct Passage: Decodable {
    var text: String
    var entities: [Entity]
  }

  struct Answer: Decodable {
    var text: String
  }

  struct Query: Decodable {
    var query: String
    var answers: [Answer]
    var idx: Int
  }

  var passage: Passage
  var qas: [Query]
  var idx: Int

  /// One example a query; its choices are the passage's entities, each once, in the order of their listing.
  func examples(at place: String) throws -> [TaskExample] {
    let entities = try entities(at: place)
    let text = Verbaliser.trimmed(passage.text.split(separator: "\n").filter { $0 != "@highlight" }.joined(separator: "\n"))
    let examples = try qas.map { query in
      let answers = Set(query.answers.map { Verbaliser.trimmed($0.text) })
      let accepted = entities.indices.filter { answers.contains(entities[$0]) }
      guard let label = accepted.first else {
        throw Fault(.invalidData, "no answer to query \(query.idx) is an entity of the passage", at: place)
      }
      let parts = query.query.split(separator: "@placeholder", omittingEmptySubsequences: false)
      guard parts.count >= 2 else { throw Fault(.invalidData, "query \(query.idx) has no @placeholder", at: place) }
      let prompt = Verbaliser.prompt(
        "Passage: \(text)", "Sentence: \(Verbaliser.trimmed(parts.joined(separator: "____")))", "Question: Which name fills the blank?")
      return TaskExample(
        id: "\(idx)-\(query.idx)", source: "\(idx)", prompt: prompt, choices: entities.map { " \($0)" }, label: label, accepted: accepted)
    }
    guard !examples.isEmpty else { throw Fault(.invalidData, "the passage has no query", at: place) }
    return examples
  }

  private func entities(at place: String) throws -> [String] {
    let scalars = Array(passage.text.unicodeScalars)
    var seen: Set<String> = []
    return try passage.entities.compactMap { entity in
      guard entity.start >= 0, entity.start <= entity.end, entity.end < scalars.count else {
        throw Fault(
          .invalidData, "the entity \(entity.start)...\(entity.end) lies outside the passage", at: place,
          hint: "the passage has \(scalars.count) characters")
      }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars[entity.start...entity.end])
      let name = Verbaliser.trimmed(String(text))
      return !name.isEmpty && seen.insert(name).inserted ? name : nil
    }
  }
}
