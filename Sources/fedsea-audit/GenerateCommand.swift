import Checkpoints
import Tokenizers
import ArgumentParser
import AuditRunner
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// `generate PROMPT`: text from the whole model or from the split one.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "generate", abstract: "Continues a prompt, whole or split.")

  @Argument(help: "The prompt.")
  var prompt: String

  @Option(help: "A fetched checkpoint's name, a GGUF file or a Hugging Face folder.")
  var checkpoint = "smollm2-135m-instruct"

  @Option(help: "Most tokens to add.")
  var tokens = 48

  @Option(help: "0 is greedy.")
  var temperature = 0.0

  @Option(help: "Nucleus mass.")
  var topP = 1.0

  @Option(help: "Seed of the sampling.")
  var seed: UInt64 = 0

  @Option(help: "f32, bf16 or stored.")
  var precision = "stored"

  @Option(help: ArgumentHelp("Run split, p input and q output blocks on the client, for example 2,1.", valueName: "p,q"))
  var partition: String?

  @OptionGroup var workspace: WorkspaceOptions

  mutating func validate() throws {
    guard Precision(rawValue: precision) != nil else { throw ValidationError("--precision is f32, bf16 or stored, not \(precision)") }
    guard tokens > 0, tokens <= 100_000 else { throw ValidationError("--tokens must be 1 to 100000") }
    guard temperature >= 0, temperature.isFinite, topP > 0, topP <= 1 else {
      throw ValidationError("--temperature must be ≥ 0, --top-p in (0, 1]")
    }
  }

  func run() throws {
    let started = Date()
    let loaded = try LoadedModel(checkpoint, in: workspace.store, precision: Precision(rawValue: precision)!, compute: workspace.compute)
    let ids = loaded.tokenizer.encode(prompt)
    guard !ids.isEmpty else { throw Fault(.invalidData, "the prompt is empty") }
    try loaded.requireRoom(for: ids.count + tokens, hint: "a shorter prompt, or fewer --tokens")
    let sampling = Sampling(temperature: temperature, topP: topP)
    let random = CounterRandom(seed: seed, stream: "generate")
    let ends = Set(loaded.tokenizer.endTokens)
    var (shown, all, first) = ("", [Int32](), Date())
    let onToken: (Int32) -> Bool = { token in
      if all.isEmpty { first = Date() }
      if !ends.contains(token) { all.append(token) }
      let text = loaded.tokenizer.decode(all)
      // A character may need several tokens: hold back an unfinished one.
      if !text.hasSuffix("\u{FFFD}") {
        try? Output.write(escapingControlsExceptNewline(String(text.dropFirst(shown.count))))
        shown = text
      }
      return true
    }
    let count: Int
    if let partition {
      let points = try Self.points(partition).validated(blocks: loaded.model.configuration.blocks)
      let client = SplitClient(
        input: InputBlocks(loaded.model, points), output: OutputBlocks(loaded.model, points),
        transport: InProcessTransport(SplitServer(MiddleBlocks(loaded.model, points))))
      count = try client.generate(ids, count: tokens, sampling: sampling, random: random, endTokens: ends, onToken: onToken).count
    } else {
      count = try loaded.model.generate(ids, count: tokens, sampling: sampling, random: random, endTokens: ends, onToken: onToken).count
    }
    try Output.write("\n")
    let rate = Double(count - 1) / max(1e-9, Date().timeIntervalSince(first))
    Terminal.say("first token after \(Self.rounded(first.timeIntervalSince(started))) s, then \(Self.rounded(rate)) tokens/s")
  }

  private static func rounded(_ value: Double) -> String {
    value.formatted(.number.precision(.fractionLength(2)).locale(Locale(identifier: "en_US_POSIX")))
  }

  private static func points(_ text: String) throws -> PartitionPoints {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let p = parts[0], let q = parts[1] else {
      throw Fault(.usage, "--partition is p,q, for example 2,1; not \(text)")
    }
    return PartitionPoints(input: p, output: q)
  }
}

/// Model output is untrusted text: control characters are escaped, line breaks stay.
func escapingControlsExceptNewline(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { escapingControls(String($0)) }.joined(separator: "\n")
}
