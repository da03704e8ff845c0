import Diagnostics
import Fetching
import Foundation
import PrivateText

extension TextDataset {
  private static let presidio = ArtifactManifest(
    name: "presidio-pii", kind: .dataset, description: "Templates and fake identities of presidio-evaluator",
    licence: "MIT AND CC-BY-SA-3.0-US",
    source: PackageSource(
      package: "presidio-evaluator", version: "0.3.2", form: .wheel,
      sha256: "57614fe604e52b78e6de25b767c59265886b93bbcdc6c7e43ab2657d3f6302be", bytes: 694_340),
    content: PackageContent(
      shape: .folder, member: "presidio_evaluator/data_generator/raw_data", target: "raw_data",
      sha256: "55f678e5b5520cc44fb29e81dce832ea08a4312a7f75b30350d48e21506fdbb6", bytes: 1_380_619))

  /// Sentences with gold spans of personal data: the templates of Microsoft's presidio-evaluator filled with its 3,000 identities by the Fake
  /// Name Generator. Nobody in it exists. Templates and identities are split apart: no template and no person is in both halves.
  package static let presidioPII = TextDataset(
    name: presidio.name, summary: "made-up sentences with marked personal data: 210 templates, 3,000 fake identities",
    manifests: [presidio]
  ) { split, store, sampling, tokenize in
    try PresidioTemplates(folder: store.verified(presidio), split).documents(sampling, tokenize: tokenize)
  }

  /// One filled template of presidio-evaluator a document, which is its attribute. As with the prompts of a task everybody knows all templates;
  /// only the persons are split apart.
  package static let presidioTemplates = TextDataset(
    name: "presidio-templates", summary: "one made-up sentence each, from 210 templates that everybody knows, with marked personal data",
    manifests: [presidio]
  ) { split, store, sampling, tokenize in
    try PresidioTemplates(folder: store.verified(presidio), split, sharesTemplates: true).sentences(sampling, split, tokenize: tokenize)
  }
}

/// One half of the identities, and of the templates or all of these.
struct PresidioTemplates {
  let templates: [(id: String, text: String)]
  let identities: [FakeIdentity]
  let nationalities: [String]

  /// Reads `templates.txt`, `FakeNameGenerator.com_3000.csv` and `nationalities.csv`. Throws `Fault` 65 or 66.
  init(folder: URL, _ split: SourceSplit, sharesTemplates: Bool = false) throws {
    let file = folder.appending(path: "templates.txt")
    var lines = ByteLines(try TextFile.bytes(of: file.path))
    var templates: [(id: String, text: String)] = []
    while let line = try lines.next(place: file.path) {
      // Line breaks stand in the file as \n; `<name>` means `{{name}}`, and a lone > is a quoted mail's.
      let text = line.text.replacingOccurrences(of: "\\n", with: " ").split(whereSeparator: \.isWhitespace).joined(separator: " ")
      let id = "template-\(line.number)"
      if !text.isEmpty, sharesTemplates || SourceSplit(ofGroup: id) == split { templates.append((id, text)) }
    }
    self.templates = templates
    identities = try FakeIdentity.read(folder.appending(path: "FakeNameGenerator.com_3000.csv").path)
      .filter { SourceSplit(ofGroup: "identity-\($0.number)") == split }
    nationalities = try FakeIdentity.column("nationality", of: folder.appending(path: "nationalities.csv").path).map(\.capitalized)
    guard !templates.isEmpty, !identities.isEmpty, !nationalities.isEmpty else {
      throw Fault(.invalidData, "no template, identity or nationality", at: folder.path)
    }
  }

  /// Documents of min…max tokens: filled templates one after another, each about a person of its own. Randomness: the seed and the document's
  /// number. Throws `Fault` 65 when the bounds leave too little choice.
  func documents(_ sampling: PassageSampling, tokenize: Tokenize) throws -> [TextDocument] {
    try (0..<sampling.count).map { index in
      var draws = CounterGenerator(seed: sampling.seed, stream: UInt64(index))
      var used: [String] = []
      let found = try MarkedText.joined(tokens: sampling.minTokens...sampling.maxTokens, tries: 500, tokenize: tokenize) {
        let template = templates[draws.index(below: templates.count)]
        used.append(template.id)
        return try filled(template, &draws)
      }
      guard let found else {
        throw Fault(
          .invalidData, "no filled templates of \(sampling.minTokens)…\(sampling.maxTokens) tokens were found",
          hint: "widen min_tokens…max_tokens")
      }
      return TextDocument(id: "\(used[0])/d\(index)", text: found.text, spans: found.spans)
    }
  }

  /// Documents of one filled template each, with min…max tokens. The private half draws templates uniformly; the public half goes through all of
  /// them, so that none is unknown that fits. Randomness: the seed, the half and the document's number. Throws `Fault` 65 when none fits.
  func sentences(_ sampling: PassageSampling, _ split: SourceSplit, tokenize: Tokenize) throws -> [TextDocument] {
    try (0..<sampling.count).map { index in
      var draws = CounterGenerator(seed: sampling.seed, stream: UInt64(index) << 1 | (split == .private ? 0 : 1))
      for attempt in 0..<500 {
        let isInTurn = split == .public && attempt < 10
        let template = templates[isInTurn ? index % templates.count : draws.index(below: templates.count)]
        let text = try filled(template, &draws)
        guard try (sampling.minTokens...sampling.maxTokens).contains(tokenize(text.text).count) else { continue }
        var document = TextDocument(id: "\(template.id)/d\(index)", text: text.text, spans: text.spans)
        document.attribute = template.id
        return document
      }
      throw Fault(
        .invalidData, "no filled template of \(sampling.minTokens)…\(sampling.maxTokens) tokens was found",
        hint: "widen min_tokens…max_tokens")
    }
  }

  /// The template with every placeholder filled in: the first of a kind from one person, each further one from another.
  func filled(_ template: (id: String, text: String), _ draws: inout CounterGenerator) throws -> MarkedText {
    var out = MarkedText()
    var rest = template.text[...]
    let first = identities[draws.index(below: identities.count)]
    var seen: Set<String> = []
    while let open = rest.range(of: "{{"), let close = rest[open.upperBound...].range(of: "}}") {
      out.append(rest[..<open.lowerBound])
      let name = rest[open.upperBound..<close.lowerBound].lowercased()
      let person = seen.insert(name).inserted ? first : identities[draws.index(below: identities.count)]
      guard let value = try value(name, person, &draws) else {
        throw Fault(.invalidData, "unknown placeholder \"\(name)\"", at: template.id)
      }
      if let kind = value.kind { out.append(value.text, kind: kind) } else { out.append(value.text) }
      rest = rest[close.upperBound...]
    }
    out.append(rest)
    return out
  }

  private func value(
    _ placeholder: String, _ person: FakeIdentity, _ draws: inout CounterGenerator
  ) throws -> (text: String, kind: PrivateEntity.Kind?)? {
    if let text = person.name(placeholder, orElse: { gender in another(gender, &draws) }) {
      return (text, placeholder.hasPrefix("prefix") ? nil : .name)
    }
    if let value = person.value(placeholder) { return value }
    if placeholder.hasPrefix("nation") {
      let nation = nationalities[draws.index(below: nationalities.count)]
      return (placeholder == "nation_plural" ? nation + "s" : nation, .demographic)
    }
    return MadeUpValue.make(placeholder, &draws)
  }

  /// Somebody of that gender; anybody if there is none.
  private func another(_ gender: String, _ draws: inout CounterGenerator) -> FakeIdentity {
    let fitting = identities.filter { $0.gender == gender }
    let from = fitting.isEmpty ? identities : fitting
    return from[draws.index(below: from.count)]
  }
}
