import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning
import TestSupport
import Testing
import fedsea_bench

/// The benchmark's own work, on tiny shapes.
@Suite(.serialized) struct BenchTests {
  private let shape = LlamaConfiguration(
    architecture: .llama, blocks: 3, hiddenSize: 64, feedForwardSize: 160, heads: 4, keyValueHeads: 2, headDimension: 16,
    vocabularySize: 500,
    contextLength: 128)

  @Test func aRandomCheckpointTakesOneStep() throws {
    let scratch = try Scratch()
    try WriteRandom.write(shape, to: scratch.path)
    let checkpoint = try Checkpoint.open(at: scratch.path)
    #expect(checkpoint.configuration.blocks == 3 && checkpoint.configuration.vocabularySize == 500)
    let values = try LlamaModel(checkpoint, compute: Compute(threads: 1)).embedding.values(Compute(threads: 1))
    #expect(abs(rootMeanSquare(values) - 0.02) < 5e-4)

    let first = try StepMemory.measure(scratch.path, tokens: 24, threads: 1)
    // A random model knows nothing of the next of 500 tokens.
    #expect(abs(first.loss - log(500)) < 0.1, "\(first.loss)")
    #expect(first.norm > 1e-3 && first.norm.isFinite && first.seconds > 0 && first.peakBytes > 1 << 20)
    let again = try StepMemory.measure(scratch.path, tokens: 24, threads: 1)
    #expect(again.loss == first.loss && again.norm == first.norm)
  }

  /// Counted by hand: q 64·64, k and v 64·32, o 64·64, three of 64·160 a block; head 500·64.
  @Test func operationsOfAStep() {
    let count = StepCount(shape, AdapterSettings(targets: [.query, .key], rank: 8), lengths: [10, 6])
    let blocks = 3 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 160)
    #expect(count.forward == Double(2 * blocks * 16 + 2 * 500 * 64 * 14) && count.backward == count.forward)
    #expect(count.adapters == Double(6 * 8 * (128 + 96) * 16 * 3))
    #expect(count.operations == 2 * count.forward + count.adapters)
  }

  /// Eight clients: eight passes one after another through one server, one where every client has its copy.
  @Test func passesThatWaitForOneAnother() throws {
    let scratch = try Scratch()
    try WriteRandom.write(shape, to: scratch.path)
    let model = try LlamaModel(Checkpoint.open(at: scratch.path), compute: Compute(threads: 1))
    let texts = (0..<FederationBench.clients).map { client in
      [TrainingSequence(tokens: [1, 2, Int32(client)], labels: [1, 2, Int32(client)])]
    }
    for (mode, passes) in [(Federation.Mode.sequential, 8), (.serverHierarchical(localSteps: 1), 1)] {
      let federation = try FederationBench.federation(mode, of: model)
      #expect(try FederationBench.countPasses(of: federation) { _ = try federation.step(texts, rate: 1e-4) } == passes)
      #expect(federation.sequentialServerSteps == passes)
    }
  }
}
