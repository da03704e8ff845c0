import Checkpoints
import Diagnostics
import Kernels
import Llama
import SplitLearning
import TestSupport
import Testing

@Suite(.serialized) struct SplitTests {
  private func model(_ threads: Int = 1) throws -> LlamaModel {
    try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa")), compute: Compute(threads: threads))
  }

  private func client(
    _ model: LlamaModel, _ p: Int, _ q: Int, transport: (any SplitTransport)? = nil, protector: any StateProtector = Unprotected()
  ) -> SplitClient {
    let points = PartitionPoints(input: p, output: q)
    return SplitClient(
      input: InputBlocks(model, points), output: OutputBlocks(model, points),
      transport: transport ?? InProcessTransport(SplitServer(MiddleBlocks(model, points))), protector: protector)
  }

  private let documents: [[Int32]] = [[5, 17, 200, 3, 3, 91], [44], [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]]

  /// Every partition of the model, the empty client and the empty server among them, gives bitwise the whole model's logits on one thread.
  @Test func splitEqualsWholeBitwise() throws {
    let model = try model()
    let whole = model.logits(documents)
    for p in 0...4 {
      for q in 0...(4 - p) {
        let client = client(model, p, q)
        #expect(client.logits(try client.states(documents.enumerated().map { (UInt64($0), $1) })) == whole, "p \(p) q \(q)")
      }
    }
  }

  /// Decoding through the split, one vector each way a token, gives the whole model's text at every cut.
  @Test func generationEqualsWhole() throws {
    let model = try model()
    let reference = try model.generate(documents[0], count: 20)
    for p in 0...4 { #expect(try client(model, p, 4 - p == 0 ? 0 : 1).generate(documents[0], count: 20) == reference, "p \(p)") }
  }

  /// The tap sees the states the client sends, in order, and the lengths; and it is all that crosses.
  @Test func tapRecordsWhatCrosses() throws {
    let model = try model()
    let points = PartitionPoints(input: 2, output: 1)
    let tap = Tap(InProcessTransport(SplitServer(MiddleBlocks(model, points))))
    let client = client(model, 2, 1, transport: tap)
    _ = try client.states([(7, documents[2])])
    _ = try client.states([(7, [20]), (9, [1, 2])])
    #expect(tap.seen[7]?.messageLengths == [11, 1])
    let packed = tap.packed([7, 9], columns: model.configuration.hiddenSize)
    #expect(packed.offsets == [0, 12, 14])
    var caches = [model.stack[0..<2].emptyCache()]
    let expected = model.stack[0..<2].forward(model.embedding.gather(documents[2] + [20]), PackedBatch(lengths: [12]), caches: &caches)
    #expect(largestDifference(packed.sent.slice(0..<12).values, expected.values) < 1e-5)
  }

  /// A released identifier starts anew.
  @Test func releaseForgets() throws {
    let model = try model()
    let client = client(model, 1, 1)
    let first = try client.states([(1, documents[0])])
    _ = try client.states([(1, [4])])
    try client.release([1])
    #expect(try client.states([(1, documents[0])]) == first)
  }

  @Test func impossiblePartitionsAreRefused() {
    for (p, q) in [(-1, 0), (0, -1), (5, 0), (3, 2), (Int.max, 1), (1, Int.max)] {
      #expect(throws: Fault.self, "p \(p) q \(q)") { try PartitionPoints(input: p, output: q).validated(blocks: 4) }
    }
  }

  @Test func hostileMessagesAreRefusedAndChangeNothing() throws {
    let model = try model()
    let server = SplitServer(MiddleBlocks(model, PartitionPoints(input: 1, output: 1)), longestSequence: 8)
    let width = model.configuration.hiddenSize
    func message(_ ids: [UInt64], _ lengths: [Int], _ states: Matrix) -> SmashedData {
      SmashedData(sequences: ids, lengths: lengths, states: states)
    }
    let good = Matrix(rows: 2, columns: width, values: [Float](repeating: 0.5, count: 2 * width))
    var poisoned = good
    poisoned[1, 3] = .nan
    let reference = try server.forward(message([1], [2], good))
    server.release([1])
    let bad = [
      message([1], [3], good), message([1, 1], [1, 1], good), message([1], [], good), message([1], [0], Matrix(rows: 0, columns: width)),
      message([1], [-2], good), message([1, 2], [Int.max, 2], good), message([1], [2], poisoned),
      message([1], [2], Matrix(rows: 2, columns: 3)),
      message([1], [9], Matrix(rows: 9, columns: width)),
    ]
    for (i, entry) in bad.enumerated() { #expect(throws: Fault.self, "message \(i)") { try server.forward(entry) } }
    #expect(try server.forward(message([1], [2], good)) == reference)
  }

  @Test func tokensOutsideTheVocabularyAreRefused() throws {
    let model = try model()
    for tokens: [Int32] in [[], [-1], [384], [Int32.max]] {
      #expect(throws: Fault.self) { try client(model, 1, 1).states([(0, tokens)]) }
      if !tokens.isEmpty { #expect(throws: Fault.self) { try model.checked(tokens) } }
    }
  }
}
