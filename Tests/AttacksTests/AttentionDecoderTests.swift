import Attacks
import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning
import Synchronization
import TestSupport
import Testing

/// The attention decoder on a tiny random model and a language whose next token is the successor of the last one with probability 0.7, else
/// any: nobody can guess more than 70.8 % of next tokens.
@Suite(.serialized) struct AttentionDecoderTests {
  struct Scene {
    static let words: Int32 = 40
    static let follows = 0.7

    let model: LlamaModel
    /// Two clients: input blocks that mix less than the random ones of the fixture, as trained ones do, and adapters of each one's own.
    let clients: [BlockStack]
    let blocks: Int

    init(blocks: Int, mixing: Float = 0.3, strength: Float = 0.05) throws {
      model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa")), compute: Compute(threads: 1))
      self.blocks = blocks
      var whole = TrainableStack(whole: model.stack[0..<blocks], precision: .f32)
      for i in whole.adapters.indices {
        for name in [ParameterName.weight(.output), .weight(.down)] {
          whole.adapters[i][name] = whole.adapters[i][name].map { $0 * mixing }
        }
      }
      whole.refresh()
      let stack = whole.stack
      clients = [1, 2].map { seed in
        var trainable = TrainableStack(stack, AdapterSettings(rank: 2, alpha: 4), seed: UInt64(seed))
        var random = SplitMix(state: UInt64(seed))
        for i in trainable.adapters.indices {
          for name in trainable.adapters[i].names {
            trainable.adapters[i][name] = trainable.adapters[i][name].map { _ in Float(random.gaussian()) * strength }
          }
        }
        return trainable.adapted
      }
    }

    func text(_ count: Int, length: Int = 16, seed: UInt64) -> [[Int32]] {
      var random = SplitMix(state: seed)
      return (0..<count).map { _ in
        var token = Int32(random.below(Int(Self.words)))
        return (0..<length).map { _ in
          token = random.uniform() < Self.follows ? (token * 7 + 3) % Self.words : Int32(random.below(Int(Self.words)))
          return token
        }
      }
    }

    func states(_ passages: [[Int32]], of stack: BlockStack) -> Matrix {
      var caches = passages.map { _ in stack.emptyCache() }
      return stack.forward(
        model.embedding.gather(passages.flatMap { $0 }), PackedBatch(lengths: passages.map(\.count)), caches: &caches)
    }

    func view(_ documents: [[Int32]], of stack: BlockStack, noise: NoiseStatement = .none) -> AdversaryView {
      let batch = PackedBatch(lengths: documents.map(\.count))
      let values = noise.observed(
        states(documents, of: stack), sequences: documents.indices.flatMap { d in documents[d].map { _ in UInt64(d) } },
        positions: batch.positions, random: CounterRandom(seed: 77, stream: "victim"), model.compute)
      return AdversaryView(
        identity: ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: ""),
        partition: PartitionPoints(input: blocks, output: 0), offsets: batch.offsets,
        observations: [.inputHiddenStates: Observation(values: values, noise: noise)])
    }

    func means(auxiliary: [[Int32]] = [], collusion: LabelledStates? = nil, seed: UInt64 = 1, store: InverterStore? = nil)
      -> AttackerMeans
    {
      AttackerMeans(
        model: model, auxiliary: auxiliary, excluded: [], seed: 1, memory: AttackerMemory(), collusion: collusion, inverters: store,
        trainingSeed: seed)
    }

    /// What client 0 gives away.
    func collusion(_ count: Int) -> LabelledStates {
      let passages = text(count, seed: 5)
      return LabelledStates(passages: passages, states: states(passages, of: clients[0]))
    }
  }

  private static let quick: [String: SettingValue] = [
    "steps": .number(150), "batch": .number(16), "learning_rate": .number(3e-3), "synthetic": .number(64),
  ]

  private func attack(_ settings: [String: SettingValue] = [:]) throws -> AttentionDecoder {
    try AttentionDecoder(Self.quick.merging(settings) { $1 })
  }

  private func accuracy(_ truth: [[Int32]], _ found: [[Int32]], from first: Int = 0) -> Double {
    let pairs = zip(truth, found).flatMap { zip($0.dropFirst(first), $1.dropFirst(first)) }
    return Double(pairs.count { $0 == $1 }) / Double(pairs.count)
  }

  /// Known answer 10: on clean states the aligned decoder reads nearly every token, of the colluding client's other texts and of another
  /// client's; the released attack guesses next tokens as well as they can be guessed, and no better.
  @Test(arguments: [1, 2]) func alignedReadsWhatTheReleasedAttackGuesses(blocks: Int) throws {
    let scene = try Scene(blocks: blocks)
    let documents = scene.text(40, seed: 9)
    let means = scene.means(collusion: scene.collusion(2000))
    let bound = Scene.follows + (1 - Scene.follows) / Double(Scene.words)
    let allowed = 4 * (bound * (1 - bound) / Double(40 * 15)).squareRoot()
    for client in scene.clients {
      let view = scene.view(documents, of: client)
      let aligned = try attack(["synthetic": .number(0), "batch": .number(32)]).reconstruct(view, with: means) { _ in }
      #expect(accuracy(documents, aligned.tokens) > 0.98)
      let compat = try attack(["mode": .string("fedsea-compat"), "steps": .number(400), "batch": .number(32), "synthetic": .number(0)])
        .reconstruct(
          view, with: means
        ) { _ in }
      let next = accuracy(documents, compat.tokens, from: 1)
      #expect(next > bound - 0.06 && next < bound + allowed, "\(next) of at most \(bound)")
    }
    #expect(
      largestDifference(scene.states(documents, of: scene.clients[0]).values, scene.states(documents, of: scene.clients[1]).values) > 0.1)
  }

  /// Passages with substituted tokens, through the attacker's own copy of the blocks, teach words that the colluding client never sent.
  @Test func substitutedPassagesTeachRareTokens() throws {
    let scene = try Scene(blocks: 1)
    var random = SplitMix(state: 3)
    let documents = (0..<20).map { _ in (0..<16).map { _ in Int32(random.below(scene.model.configuration.vocabularySize)) } }
    let means = scene.means(auxiliary: scene.text(200, seed: 6), collusion: scene.collusion(400))
    let view = scene.view(documents, of: scene.clients[1])
    func found(synthetic: Double) throws -> Double {
      let attack = try attack(["synthetic": .number(synthetic), "batch": .number(32), "steps": .number(200)])
      return accuracy(documents, try attack.reconstruct(view, with: means) { _ in }.tokens)
    }
    let (without, with) = (try found(synthetic: 0), try found(synthetic: 2000))
    #expect(with > 0.75 && with > without + 0.1, "without \(without), with \(with)")
  }

  /// Without a colluding client the pairs come from public text; the client's blocks in reverse are another start.
  @Test func publicTextStandsInForAColludingClient() throws {
    let scene = try Scene(blocks: 2)
    let view = scene.view(scene.text(4, seed: 9), of: scene.clients[1])
    let means = scene.means(auxiliary: scene.text(40, seed: 5))
    let starts = try ["last", "reversed"].map {
      try attack(["initial": .string($0), "steps": .number(0), "mode": .string("fedsea-compat")]).trained(view, with: means) { _ in }
    }
    #expect(starts.allSatisfy { $0.source == .rehearsal })
    for (i, own) in [1, 0].enumerated() {
      let query = starts[1].decoder.tensors.first { $0.name == "blocks.\(i).q_proj.weight" }
      #expect(query?.values == scene.model.stack.blocks[own].query.values(scene.model.compute))
      let last = starts[0].decoder.tensors.first { $0.name == "blocks.\(i).q_proj.weight" }
      #expect(last?.values == scene.model.stack.blocks[2 + i].query.values(scene.model.compute))
    }
  }

  @Test func hugeNoiseLeavesNothing() throws {
    let scene = try Scene(blocks: 1)
    var random = SplitMix(state: 3)
    func text(_ n: Int) -> [[Int32]] { (0..<n).map { _ in (0..<16).map { _ in Int32(random.below(384)) } } }
    let documents = text(20)
    let view = scene.view(
      documents, of: scene.model.stack[0..<1], noise: NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 1e4))
    let found = try attack(["steps": .number(20)]).reconstruct(view, with: scene.means(auxiliary: text(40))) { _ in }
    #expect(accuracy(documents, found.tokens) < 0.05)
  }

  @Test func sameSeedSameDecoder() throws {
    let scene = try Scene(blocks: 2)
    let documents = scene.text(4, seed: 9)
    let view = scene.view(
      documents, of: scene.clients[1], noise: NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 0.5))
    func tensors(seed: UInt64) throws -> [NamedTensor] {
      var settings = Self.quick
      settings["steps"] = .number(12)
      settings["learning_rate"] = nil  // chosen on held-out passages
      let means = scene.means(auxiliary: scene.text(30, seed: 4), collusion: scene.collusion(60), seed: seed)
      return try AttentionDecoder(settings).trained(view, with: means) { _ in }.decoder.tensors
    }
    let first = try tensors(seed: 1)
    #expect(try tensors(seed: 1) == first)
    #expect(try tensors(seed: 2) != first)
  }

  @Test func tensorsRestoreTheDecoder() throws {
    let scene = try Scene(blocks: 2)
    let documents = scene.text(4, seed: 9)
    let (view, means) = (scene.view(documents, of: scene.clients[1]), scene.means(collusion: scene.collusion(60)))
    let trained = try attack(["steps": .number(10)]).trained(view, with: means) { _ in }
    let fresh = try attack(["steps": .number(0)]).trained(view, with: means) { _ in }
    #expect(trained.steps == 10 && trained.source == .collusion && trained.learningRate == 3e-3)
    let batch = PackedBatch(lengths: documents.map(\.count))
    let states = scene.states(documents, of: scene.clients[1])
    func scores(_ decoder: InversionDecoder) -> Matrix { decoder.scores(decoder.outputs(states, batch)) }
    #expect(scores(fresh.decoder) != scores(trained.decoder))
    #expect(scores(try fresh.decoder.restored(from: trained.decoder.tensors)) == scores(trained.decoder))
    var broken = trained.decoder.tensors
    broken[0].values[0] = .nan
    #expect(throws: Fault.self) { try fresh.decoder.restored(from: broken) }
    #expect(throws: Fault.self) { try fresh.decoder.restored(from: Array(trained.decoder.tensors.dropLast())) }
  }

  /// A decoder is trained once for a cut, a law of noise and a text, whatever the seed of the noise; a damaged file is trained again.
  @Test func decodersAreStored() throws {
    let scene = try Scene(blocks: 1)
    let scratch = try Scratch()
    let notices = Mutex<[String]>([])
    let store = InverterStore(folder: URL(filePath: scratch.path), weights: "c", tokenizerSHA256: "t") { text in
      notices.withLock { $0.append(text) }
    }
    let view = scene.view(scene.text(4, seed: 9), of: scene.clients[1])
    func decoder(_ settings: [String: SettingValue] = ["steps": .number(10)], seed: UInt64 = 1, text: UInt64 = 5) throws -> TrainedDecoder {
      try attack(settings).trained(view, with: scene.means(auxiliary: scene.text(40, seed: text), seed: seed, store: store)) { _ in }
    }
    let first = try decoder()
    let key = try #require(try scratch.names().first)
    let again = try decoder()
    #expect(again.decoder.tensors == first.decoder.tensors && again.seconds == first.seconds && again.source == .rehearsal)
    #expect(try scratch.names() == [key])
    let card = try String(contentsOfFile: scratch.file("\(key)/README.md"), encoding: .utf8)
    #expect(card.contains("public text of the plan") && card.contains("cut after 1 blocks"))
    _ = try decoder(seed: 2)
    _ = try decoder(["steps": .number(11)])
    _ = try decoder(text: 6)
    #expect(try scratch.names().count == 4)
    #expect(notices.withLock(\.count) == 0)
    try Data("no tensors".utf8).write(to: URL(filePath: scratch.file("\(key)/decoder.safetensors")))
    #expect(try decoder().decoder.tensors == first.decoder.tensors)
    #expect(notices.withLock(\.count) == 1)
  }

  /// Stopped among the learning rates that are tried and in the training, and gone on with: the same weights to the last bit. A damaged file of where it
  /// stopped is reported, or training goes on; nothing traps.
  @Test func anInterruptedTrainingGoesOn() throws {
    let scene = try Scene(blocks: 1)
    let settings: [String: SettingValue] = [
      "steps": .number(70), "batch": .number(8), "synthetic": .number(16), "budget_seconds": .number(1e5),
    ]
    let view = scene.view(scene.text(4, seed: 9), of: scene.clients[1])
    let notices = Mutex<[String]>([])
    let scratch = try Scratch()
    struct Stop: Error {}
    func trained(stored: Bool = true, until stop: Double = 2) throws -> (TrainedDecoder, from: Double) {
      let store = InverterStore(folder: URL(filePath: scratch.path), weights: "c", tokenizerSHA256: "t") { text in
        notices.withLock { $0.append(text) }
      }
      var first = 2.0
      let means = scene.means(auxiliary: scene.text(40, seed: 5), store: stored ? store : nil)
      let found = try AttentionDecoder(settings).trained(view, with: means) {
        first = min(first, $0)
        if $0 > stop { throw Stop() }
      }
      return (found, first)
    }
    let whole = try trained(stored: false).0
    for stop in [0.1, 0.2, 0.5, 0.8] { #expect(throws: Stop.self) { _ = try trained(until: stop) } }
    let key = try #require(try scratch.names().first)
    let path = URL(filePath: scratch.file("\(key)/interrupted.safetensors"))
    let kept = try Data(contentsOf: path)
    let last = try trained()
    #expect(last.from > 0.6, "training began anew at \(last.from)")
    #expect(last.0.decoder.tensors == whole.decoder.tensors && last.0.steps == 70 && last.0.learningRate == whole.learningRate)
    #expect(notices.withLock(\.isEmpty) && !FileManager.default.fileExists(atPath: path.path))
    var draws = SplitMix(state: 5)
    for round in 0..<10 {
      try FileManager.default.removeItem(atPath: scratch.file("\(key)/decoder.safetensors"))
      try (round == 0 ? Data(kept.prefix(kept.count / 2)) : mutate(kept, using: &draws)).write(to: path)
      _ = try trained()
      #expect(round > 0 || notices.withLock(\.count) == 1)
    }
  }

  /// Noise whose size the defense keeps to itself is estimated, not taken to be none.
  @Test func withheldNoiseIsEstimated() throws {
    let scene = try Scene(blocks: 1)
    let documents = scene.text(20, seed: 9)
    let stated = NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 1)
    var view = scene.view(documents, of: scene.model.stack[0..<1], noise: stated)
    let means = scene.means(auxiliary: scene.text(60, seed: 5))
    let known = accuracy(documents, try attack().reconstruct(view, with: means) { _ in }.tokens)
    view.observations[.inputHiddenStates]!.noise.sigma = nil
    let withheld = accuracy(documents, try attack().reconstruct(view, with: means) { _ in }.tokens)
    #expect(withheld > known - 0.1, "known \(known), withheld \(withheld)")
  }

  @Test(arguments: ["aligned", "fedsea-compat"]) func posteriorsAreDistributions(mode: String) throws {
    let scene = try Scene(blocks: 1)
    let documents = scene.text(5, seed: 9)
    let view = scene.view(documents, of: scene.clients[1], noise: NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 0.5))
    let found = try attack(["mode": .string(mode), "steps": .number(10)]).reconstruct(
      view, with: scene.means(collusion: scene.collusion(60))
    ) {
      _ in
    }
    let posterior = try #require(found.posterior)
    #expect(posterior.positions == 80 && found.tokens.map(\.count) == documents.map(\.count))
    for position in 0..<posterior.positions {
      let range = position * posterior.width..<(position + 1) * posterior.width
      let listed = posterior.logProbabilities[range].reduce(0.0) { $0 + exp(Double($1)) }
      #expect(abs(listed + exp(Double(posterior.restLogProbability[position])) - 1) < 1e-3)
    }
  }

  @Test func faultsNameWhatIsMissing() throws {
    let scene = try Scene(blocks: 1)
    let documents = scene.text(4, seed: 9)
    let view = scene.view(documents, of: scene.clients[1])
    #expect(throws: Fault.self) { try attack().reconstruct(view, with: scene.means()) { _ in } }
    let narrow = LabelledStates(passages: scene.text(8, seed: 1), states: Matrix(rows: 128, columns: 8))
    #expect(throws: Fault.self) { try attack().reconstruct(view, with: scene.means(collusion: narrow)) { _ in } }
    var blind = view
    blind.observations = [:]
    #expect(throws: Fault.self) { try attack().reconstruct(blind, with: scene.means(collusion: scene.collusion(60))) { _ in } }
    #expect(throws: Fault.self) { try AttentionDecoder(["mode": .string("causal")]) }
    struct Stop: Error {}
    #expect(throws: Stop.self) { try attack().reconstruct(view, with: scene.means(collusion: scene.collusion(60))) { _ in throw Stop() } }
  }
}
