import Checkpoints
import Kernels
import Llama
import TestSupport
import Testing

/// Every tiny checkpoint of every architecture against PyTorch: states after each block, logits, Q, K, V and attention maps.
@Suite(.serialized) struct TinyModelTests {
  static let names = ["tiny-gqa", "tiny-untied", "tiny-qwen2", "tiny-mistral"]

  @Test(arguments: names, Compute.Library.allCases) func agreesWithPyTorch(name: String, library: Compute.Library) throws {
    let model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/\(name)")), compute: Compute(library: library))
    let expected = try Tensors("llama/\(name)/expected.safetensors")
    let offsets = try expected.integers("offsets")
    let tokens = try expected.integers("token_ids").map(Int32.init)
    let batch = PackedBatch(lengths: zip(offsets.dropFirst(), offsets).map(-))
    var seen: [String: Matrix] = [:]
    let probe = ActivationProbe(wants: { _ in true }, record: { seen[$0.name] = $1 })
    var caches = batch.pasts.map { _ in model.emptyCache() }
    let last = model.states(tokens, batch, caches: &caches, probe: probe)

    for block in 0..<model.configuration.blocks {
      let reference = try expected.matrix("hidden_states", at: block + 1)
      let found = try #require(seen[ActivationPoint(block: block, tensor: .output).name])
      #expect(largestDifference(found.values, reference.values) < 1e-4 * rootMeanSquare(reference.values), "block \(block)")
    }
    #expect(largestDifference(model.head.logits(last).values, try expected.floats("logits")) < 1e-4)
    let block = try expected.integers("attention_block")[0]
    for (tensor, key) in [(ActivationPoint.Tensor.query, "q"), (.key, "k"), (.value, "v")] {
      let found = try #require(seen[ActivationPoint(block: block, tensor: tensor).name])
      #expect(largestDifference(found.values, try expected.floats(key)) < 1e-4, "\(key)")
    }
    for sequence in 0..<batch.sequences {
      let found = try #require(seen[ActivationPoint(block: block, tensor: .map, sequence: sequence).name])
      #expect(largestDifference(found.values, try expected.floats("attention.\(sequence)")) < 2e-5, "map \(sequence)")
    }
  }

  /// Prefill in one piece, in ragged pieces and token by token give the same states: the cache is the prefix.
  @Test(arguments: names) func cacheEqualsFullForward(name: String) throws {
    let model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/\(name)")))
    let tokens: [Int32] = (0..<40).map { Int32($0 * 37 % 251) }
    var whole = [model.emptyCache()]
    let reference = model.states(tokens, PackedBatch(lengths: [40]), caches: &whole)
    for pieces in [[17, 23], [1, 38, 1], [Int](repeating: 1, count: 40)] {
      var caches = [model.emptyCache()]
      var rows: [Float] = []
      for size in pieces {
        let past = rows.count / reference.columns
        rows += model.states(Array(tokens[past..<past + size]), PackedBatch(lengths: [size], pasts: [past]), caches: &caches).values
      }
      #expect(largestDifference(rows, reference.values) < 1e-5 * rootMeanSquare(reference.values), "\(pieces)")
    }
  }

  /// Candidates of a prefix have the states that the full forward of prefix + candidate gives them.
  @Test(arguments: names) func candidatesEqualFullForward(name: String) throws {
    let model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/\(name)")))
    let prefix: [Int32] = [5, 99, 7, 200, 31]
    let stack = model.stack[0..<2]
    var caches = [stack.emptyCache(), stack.emptyCache()]
    _ = stack.forward(model.embedding.gather(prefix), PackedBatch(lengths: [5, 0]), caches: &caches)
    let candidates: [Int32] = [0, 17, 250, 17]
    let found = stack.candidates(model.embedding.gather(candidates), prefixOf: [0, 0, 0, 1], caches: caches)
    for (row, candidate) in candidates.enumerated() {
      let sequence = row < 3 ? prefix + [candidate] : [candidate]
      var fresh = [stack.emptyCache()]
      let full = stack.forward(model.embedding.gather(sequence), PackedBatch(lengths: [sequence.count]), caches: &fresh)
      #expect(largestDifference(found[row: row], full[row: sequence.count - 1]) < 1e-5 * rootMeanSquare(full.values), "row \(row)")
    }
  }

  @Test func oneThreadIsBitwiseReproducible() throws {
    let model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa")), compute: Compute(threads: 1))
    let tokens: [Int32] = (0..<33).map { Int32($0 * 13 % 250) }
    #expect(model.logits([tokens]) == model.logits([tokens]))
  }
}
