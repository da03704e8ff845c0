import ArgumentParser
package import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning

/// `write-random DIR`: a checkpoint of LLaMA-2-7B's shape with random bf16 weights, for measuring memory; it says nothing sensible.
package struct WriteRandom: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "write-random", abstract: "Writes a LLaMA-2-7B-shaped checkpoint of random bf16 weights (13.5 GB).")

  @Argument(help: "Folder to write to.")
  var folder: String

  @Option(help: "Blocks; 32 in LLaMA-2-7B.")
  var blocks = 32

  func validate() throws {
    guard (1...128).contains(blocks) else { throw ValidationError("--blocks 1...128") }
  }

  func run() throws {
    try Self.write(
      LlamaConfiguration(
        architecture: .llama, blocks: blocks, hiddenSize: 4096, feedForwardSize: 11008, heads: 32, keyValueHeads: 32, headDimension: 128,
        vocabularySize: 32000, contextLength: 4096), to: folder)
  }

  /// Writes a checkpoint of this shape in eight shards of bf16, always the same one. Throws `Fault` 73 or 74 when the disk is full or read-only.
  package static func write(_ configuration: LlamaConfiguration, to folder: String) throws {
    // Uniform with the standard deviation 0.02 of an initialised LLaMA; xorshift64* (Vigna 2016), for speed.
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    try CheckpointWriter.writeFolder(configuration, at: folder, type: .bf16, shards: 8) { _, shape in
      if shape.count == 1 { return [Float](repeating: 1, count: shape[0]) }
      return .filled(shape[0] * shape[1]) { out in
        for i in 0..<shape[0] * shape[1] {
          state ^= state >> 12
          state ^= state << 25
          state ^= state >> 27
          out[i] = (Float((state &* 0x2545_F491_4F6C_DD1D) >> 40) * 0x1p-24 - 0.5) * 0.0693
        }
      }
    }
  }
}

/// `step-memory FOLDER`: one LoRA step of a memory-mapped checkpoint, split at p = q = 1, and the largest resident size it took.
package struct StepMemory: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step-memory",
    abstract: "Runs one LoRA step (r 8 on q, k, v, o; 1 x 256 tokens) over mapped weights; prints seconds and memory.")

  @Argument(help: "The checkpoint: a GGUF file or a Hugging Face folder.")
  var checkpoint: String

  @Option(help: "Tokens of the one text.")
  var tokens = 256

  @Option(help: "Threads.")
  var threads: Int = Compute.processors

  func validate() throws {
    guard (2...4096).contains(tokens), (1...64).contains(threads) else { throw ValidationError("--tokens 2...4096, --threads 1...64") }
  }

  func run() throws {
    Compute.keepFreedMemory()
    let result = try Self.measure(checkpoint, tokens: tokens, threads: threads)
    let line: [String: Any] = [
      "measure": "LoRA step 1x\(tokens) r8 qkvo, mapped", "seconds": result.seconds, "loss": result.loss, "gradient_norm": result.norm,
      "peak_resident_bytes": result.peakBytes, "threads": threads,
    ]
    let data = try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
    FileHandle.standardOutput.write(data + Data("\n".utf8))
  }

  package struct Result {
    package var seconds: Double
    /// Nats per label, before the step.
    package var loss: Double
    /// Of all gradients, before clipping.
    package var norm: Double
    /// Largest resident size of this process so far, bytes; mapped weights count while they are in memory.
    package var peakBytes: Int
  }

  /// One step over one text of `tokens` random ids, all of them labels, weights as stored. Throws as `Checkpoint.open` does.
  package static func measure(_ checkpoint: String, tokens: Int, threads: Int) throws -> Result {
    let model = try LlamaModel(Checkpoint.open(at: checkpoint), precision: .stored, compute: Compute(threads: threads))
    var blueprint = TrainingBlueprint(model: model, adapters: AdapterSettings(), clip: 1, seed: 1)
    blueprint.checkpointing = true
    let points = PartitionPoints(input: 1, output: 1)
    let client = try blueprint.client(points, of: blueprint.server([points]))
    let random = CounterRandom(seed: 0, stream: "bench/memory")
    let ids = (0..<tokens).map { Int32(random.words(item: UInt64($0), index: 0).0 % UInt32(model.embedding.rows)) }
    let started = Date()
    let loss = try client.accumulate([TrainingSequence(tokens: ids, labels: ids)])
    let norm = try client.update(rate: 1e-4)
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Result(seconds: Date().timeIntervalSince(started), loss: loss, norm: norm, peakBytes: usage.ru_maxrss * 1024)
  }
}
