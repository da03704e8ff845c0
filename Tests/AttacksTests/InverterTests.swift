import Attacks
import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import TestSupport
import Testing

/// Learned inverters on tiny random models, where the right answer is known.
@Suite(.serialized) struct InverterTests {
  private static let quick: [String: SettingValue] = ["steps": .number(30), "rows_per_step": .number(128), "budget_seconds": .number(1e6)]

  private static func settings(_ more: [String: SettingValue] = [:]) -> [String: SettingValue] { quick.merging(more) { $1 } }

  @Test(arguments: ["linear", "mlp", "gru"]) func cleanStatesAreRead(architecture: String) throws {
    let scene = try Self.readableScene()
    for p in [1, 2] {
      let found = try scene.attack("learned-inverter", Self.settings(["architecture": .string(architecture)]), on: try scene.view(p))
      #expect(scene.accuracy(found) > 0.97, "\(architecture), p \(p): \(scene.accuracy(found))")
    }
  }

  /// Where context weighs more than the token, so that linear discriminant analysis is far from the best.
  @Test func trainingHelps() throws {
    let scene = try KnownAnswerTests.Scene(documents: 24)
    let view = try scene.view(1)
    let before = Self.nats(try scene.attack("learned-inverter", Self.settings(["steps": .number(0)]), on: view), scene)
    let after = Self.nats(try scene.attack("learned-inverter", Self.settings(["steps": .number(300)]), on: view), scene)
    #expect(after < before - 0.1, "nats a token before \(before), after \(after)")
  }

  @Test func shuffledLabelsTeachNothing() throws {
    let scene = try KnownAnswerTests.Scene(documents: 24)
    let found = try scene.attack("shuffled-inverter", Self.settings(), on: try scene.view(1))
    #expect(scene.accuracy(found) < 0.06, "\(scene.accuracy(found))")
  }

  @Test(arguments: ["learned-inverter", "noise-adaptive-inverter"]) func hugeNoiseLeavesNothing(name: String) throws {
    let scene = try KnownAnswerTests.Scene(documents: 12)
    #expect(scene.accuracy(try scene.attack(name, Self.settings(), on: try scene.view(1, sigma: 1e4))) < 0.06)
  }

  @Test func posteriorsAreDistributions() throws {
    let scene = try KnownAnswerTests.Scene()
    for name in ["learned-inverter", "noise-adaptive-inverter", "shuffled-inverter", "pooled-inverter"] {
      let posterior = try #require(try scene.attack(name, Self.settings(), on: try scene.view(1, sigma: 0.5)).posterior)
      #expect(posterior.positions == scene.documents.reduce(0) { $0 + $1.count })
      for position in 0..<posterior.positions {
        let range = position * posterior.width..<(position + 1) * posterior.width
        let listed = posterior.logProbabilities[range].reduce(0.0) { $0 + exp(Double($1)) }
        #expect(abs(listed + exp(Double(posterior.restLogProbability[position])) - 1) < 1e-2, "\(name) \(position)")
      }
    }
  }

  /// σ withheld, each time another one: in nats a token, the mixture beats an inverter trained for one assumed size; with σ known the two are
  /// equal.
  @Test func mixtureBeatsOneNoiseWhenSigmaIsWithheld() throws {
    let scene = try Self.readableScene(documents: 24, deviation: 0.1)
    func mean(_ name: String, _ more: [String: SettingValue], isKnown: Bool) throws -> Double {
      let assumed = Self.settings(["steps": .number(150), "noise_estimate": .number(0)].merging(more) { $1 })
      return try [0.1, 1, 3].reduce(0) { total, sigma in
        var view = try scene.view(2, sigma: sigma)
        if !isKnown { view.observations[.inputHiddenStates]!.noise.sigma = nil }
        return total + Self.nats(try scene.attack(name, assumed, on: view), scene) / 3
      }
    }
    let one = try mean("learned-inverter", ["training_noise": .string("matched")], isKnown: false)
    let mixture = try mean("noise-adaptive-inverter", [:], isKnown: false)
    #expect(mixture < one - 0.02, "withheld: one noise \(one) nats, mixture \(mixture)")
    let oneKnown = try mean("learned-inverter", ["training_noise": .string("matched")], isKnown: true)
    let mixtureKnown = try mean("noise-adaptive-inverter", [:], isKnown: true)
    #expect(abs(mixtureKnown - oneKnown) < 0.1, "known: one noise \(oneKnown), mixture \(mixtureKnown)")
  }

  /// Mean −ln p of the true token.
  private static func nats(_ found: Reconstruction, _ scene: KnownAnswerTests.Scene) -> Double {
    let (truth, posterior) = (scene.documents.flatMap { $0 }, found.posterior!)
    let unlisted = Double(scene.model.configuration.vocabularySize - posterior.width)
    return truth.enumerated().reduce(0.0) { total, entry in
      let range = entry.offset * posterior.width..<(entry.offset + 1) * posterior.width
      let own = range.first { posterior.ids[$0] == entry.element }.map { Double(posterior.logProbabilities[$0]) }
      return total - (own ?? Double(posterior.restLogProbability[entry.offset]) - log(unlisted))
    } / Double(truth.count)
  }

  /// A result that hangs on the machine's speed says so, and so does a setting that does not apply.
  @Test func whatWasNotDoneIsSaid() throws {
    let scene = try KnownAnswerTests.Scene(documents: 6)
    let view = try scene.view(1, sigma: 0.5)
    let short = try scene.attack("learned-inverter", ["steps": .number(500), "budget_seconds": .number(0)], on: view)
    #expect(short.notes.contains { $0.contains("budget") }, "\(short.notes)")
    let whole = try scene.attack("learned-inverter", Self.settings(), on: view)
    #expect(whole.notes.isEmpty, "\(whole.notes)")
    let decoder = try scene.attack("attention-decoder", ["steps": .number(1_000_000), "budget_seconds": .number(1)], on: view)
    #expect(decoder.notes.contains { $0.contains("of 1000000 steps") }, "\(decoder.notes)")
    var foreign = scene
    foreign.means.knowledge = .k1
    let asked: [String: SettingValue] = ["candidates": .string("inverter"), "tune": .string("rehearsed"), "mismatch": .string("profile")]
    let notes = try foreign.attack("sequential-matching", asked, on: view).notes
    #expect(notes.count { $0.contains("in place of the inverter's") || $0.contains("nothing was tuned") } == 2, "\(notes)")
  }

  /// A tokenizer that calls all of its tokens control tokens leaves nothing to draw from.
  @Test func aVocabularyWithoutTextTrapsNothing() throws {
    var scene = try KnownAnswerTests.Scene(documents: 4)
    scene.means.excluded = Set(0..<Int32(scene.model.configuration.vocabularySize))
    #expect(try scene.attack("learned-inverter", Self.settings(["steps": .number(2)]), on: try scene.view(1)).tokens.count == 4)
    scene.means.auxiliary = []
    #expect(try scene.attack("learned-inverter", Self.settings(["steps": .number(2)]), on: try scene.view(1)).tokens.count == 4)
  }

  @Test func widthsThatNoMachineHoldsAreRefused() {
    let wide: [String: SettingValue] = ["architecture": .string("mlp"), "width": .number(9)]
    #expect(throws: Fault.self) { try AttackCatalog.make("learned-inverter", settings: wide) }
  }

  @Test func anUntrainedGateIsPassedBy() throws {
    let scene = try Self.readableScene(documents: 24, deviation: 0.1)
    let (view, untrained) = (try scene.view(2, sigma: 1), Self.settings(["steps": .number(0)]))
    let one = scene.accuracy(try scene.attack("learned-inverter", untrained, on: view))
    let mixture = scene.accuracy(try scene.attack("noise-adaptive-inverter", untrained, on: view))
    #expect(mixture > one - 0.01, "one noise \(one), mixture \(mixture)")
  }

  @Test func withheldSigmaIsEstimated() throws {
    let scene = try KnownAnswerTests.Scene(documents: 60)
    var view = try scene.view(1, sigma: 2)
    view.observations[.inputHiddenStates]!.noise.sigma = nil
    let task = InverterTask(view, scene.means, estimatingSigma: true)
    #expect(abs(task.sigma - 2) < 0.4, "\(task.sigma)")
  }

  /// Known-answer test 11: embeddings that hold nothing but a one-hot of the token's id over 100, under noise a fifth as large; with the leak
  /// taken out (every token the same embedding), the same attack is at chance.
  @Test(arguments: [true, false]) func plantedLeakIsFound(isPlanted: Bool) throws {
    var scene = try Self.scene(documents: 12) { v, c in (isPlanted ? v == c : c == 0) && v < 24 ? 0.01 : 0 }
    scene.documents = scene.documents.map { $0.map { $0 % 24 } }
    scene.means.auxiliary = scene.means.auxiliary.map { $0.map { $0 % 24 } }
    scene.means.excluded = Set(24..<Int32(scene.model.configuration.vocabularySize))
    let accuracy = scene.accuracy(try scene.attack("learned-inverter", Self.settings(), on: try scene.view(0, sigma: 0.002)))
    #expect(isPlanted ? accuracy > 0.95 : accuracy < 0.15, "\(accuracy)")
  }

  /// A tiny model of 64 channels whose states are mostly the token's own embedding, as in trained models at early cuts.
  private static func readableScene(documents: Int = 12, deviation: Double = 0.05) throws -> KnownAnswerTests.Scene {
    let random = CounterRandom(seed: 4, stream: "embedding")
    let size = 64
    let values = (0..<384).map { random.normals(item: UInt64($0), count: size).map { Float($0) } }
    return try scene(documents: documents, deviation: deviation) { values[$0][$1] }
  }

  /// The usual texts over a model of 64 channels with this embedding, and matrices of N(0, deviation²).
  private static func scene(documents: Int, deviation: Double = 0.05, embedding: (Int, Int) -> Float) throws -> KnownAnswerTests.Scene {
    var scene = try KnownAnswerTests.Scene(documents: documents)
    try withFolder { folder in
      var configuration = scene.model.configuration
      configuration.hiddenSize = 64
      let random = CounterRandom(seed: 3, stream: "matrices")
      try CheckpointWriter.writeFolder(configuration, at: folder) { key, shape in
        if shape.count == 1 { return [Float](repeating: 1, count: shape[0]) }
        if key.contains("embed") { return (0..<shape[0]).flatMap { v in (0..<shape[1]).map { embedding(v, $0) } } }
        let item = key.utf8.reduce(UInt64(7)) { ($0 &* 31 &+ UInt64($1)) & 0xFFFF_FFFF }
        return random.normals(item: item, count: shape[0] * shape[1]).map { Float(deviation * $0) }
      }
      scene.model = try LlamaModel(Checkpoint.open(at: folder))
    }
    scene.means.model = scene.model
    scene.means.memory = AttackerMemory()
    return scene
  }

  /// A bag of tokens from the mean state beats the language model alone.
  @Test func pooledStatesGiveSomeTokens() throws {
    let scene = try Self.readableScene()
    func bag(_ found: Reconstruction) -> Double {
      let hits = zip(scene.documents, found.tokens).map { Set($0).intersection($1).count }.reduce(0, +)
      return Double(hits) / Double(scene.documents.reduce(0) { $0 + Set($1).count })
    }
    let view = try scene.view(1)
    let found = bag(try scene.attack("pooled-inverter", Self.settings(["steps": .number(150)]), on: view))
    let baseline = bag(try scene.attack("language-model", on: view))
    #expect(found > baseline + 0.03, "pooled \(found), language model \(baseline)")
  }
}
