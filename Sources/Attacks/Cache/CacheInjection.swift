package import Audit
import Diagnostics
import Foundation
import Kernels
import Llama

/// A11b: puts an instruction behind a captured cache and has the model repeat what stands before it.
///
/// An active attack: whoever does it decides what the model runs. A thief of the cache who knows the weights does so on a machine of his own; a server that
/// only observes does not. Keys and values of all of the server's blocks are needed. The client's blocks have no captured cache: there the instruction
/// and what follows attend to themselves alone (`InjectedDecoding`). What is written, as many tokens as the cache has positions, is the answer.
package struct CacheInjection: Attack {
  enum Source: String, CaseIterable { case captured, none }

  package static let description = MethodDescription(
    name: "cache-injection", summary: "appends an instruction to a captured cache and has the model repeat the text before it",
    paper: "KV-Cloak: Injection (Luo et al. 2025)",
    deviations:
      "active: the attacker runs the model on the captured cache himself, or has it run; the client's blocks have no cache of the prompt, so the "
      + "instruction is behind it in the server's blocks only; the wording is chosen on public text; control tokens are never written",
    cost: "one forward a token through the whole model; three wordings on eight public passages once a cut", knowledge: .k2,
    channels: [.keys, .values], roles: [.coTenant], family: .injection,
    settings: [
      "instruction": "text put behind the cache; default: of three wordings the one that repeats public passages best",
      "tokens": "most tokens written for a document, default 0: as many as the cache has positions; the rest is the unigram guess",
      "cache": "captured (default); none: the same instruction behind nothing, a control",
    ])

  package static let rules: [String: SettingRule] = [
    "instruction": .text, "tokens": .integer(0...1 << 20), "cache": .choice(Source.allCases.map(\.rawValue)),
  ]

  private let instruction: String?
  private let most: Int
  private let source: Source

  /// Documents written at once.
  private static let together = 16

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    instruction = settings["instruction"]?.label
    most = try reader.integer("tokens", default: 0, in: 0...1 << 20)
    source = try reader.choice("cache", default: .captured)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let started = Date()
    let captured = try CapturedCache(view, means.model, attack: Self.description.name)
    let wording = try InjectedInstruction(instruction, view, means, attack: Self.description.name)
    let instruction = wording.tokens
    let filler = Unigram.of(means).ranked[0]
    let lengths = (0..<view.documents).map { view.range(of: $0).count }
    let counts = lengths.map { most > 0 ? min(most, $0) : $0 }
    var found = Reconstruction(tokens: lengths.map { [Int32](repeating: filler, count: $0) })
    let order = counts.indices.filter { counts[$0] > 0 }
    for start in stride(from: 0, to: order.count, by: Self.together) {
      let group = Array(order[start..<min(start + Self.together, order.count)])
      let behind = group.map { source == .captured ? captured.documents[$0] : SequenceCache(blocks: captured.server.count) }
      var decoding = InjectedDecoding(means.model, view.partition, captured: behind, excluded: means.excluded)
      let (steps, own) = (group.map { counts[$0] }.max() ?? 1, Double(group.count) / Double(order.count))
      var done = 0
      let written = try decoding.write(after: instruction, counts: group.map { counts[$0] }) {
        done += 1
        try progress(Double(start) / Double(order.count) + own * Double(done) / Double(steps))
      }
      for (document, text) in zip(group, written) { found.tokens[document].replaceSubrange(0..<text.count, with: text) }
      found.cost.candidateForwards += group.count * (instruction.count + steps - 1)
    }
    if self.instruction == nil { found.notes.append("asked with \(wording.text.debugDescription), chosen on public passages") }
    found.cost.seconds = Date().timeIntervalSince(started)
    return found
  }
}
