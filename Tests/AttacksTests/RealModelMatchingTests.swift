import Attacks
import Audit
import Checkpoints
import Defenses
import Foundation
import Kernels
import Llama
import Privacy
import SplitLearning
import TestSupport
import Testing
import Tokenizers

/// Sequential matching and the noise's closed form on SmolLM2-135M-Instruct and English text.
@Suite(.serialized, .enabled(if: Fixture.realCheckpoint != nil, "run `make test`: it fetches the checkpoint"))
struct RealModelMatchingTests {
  private struct Scene {
    let model: LlamaModel
    var documents: [[Int32]]
    var means: AttackerMeans

    init(_ texts: [String]) throws {
      let checkpoint = try Checkpoint.open(at: Fixture.realCheckpoint!)
      let tokenizer = try TokenizerLoader.load(from: checkpoint)
      model = try LlamaModel(checkpoint)
      documents = texts.map { tokenizer.encode($0) }
      means = AttackerMeans(model: model, auxiliary: [], excluded: tokenizer.specialTokens, seed: 1, memory: AttackerMemory())
    }

    func states(_ p: Int) -> Matrix {
      let stack = model.stack[0..<p]
      var caches = documents.map { _ in stack.emptyCache() }
      return stack.forward(
        model.embedding.gather(documents.flatMap { $0 }), PackedBatch(lengths: documents.map(\.count)), caches: &caches)
    }
  }

  /// Clean states give the whole text, however many blocks the client keeps. In the language model's order, which needs no table of the cut.
  @Test(arguments: [1, 2, 3, 10, 20]) func cleanStatesGiveTheText(p: Int) throws {
    let scene = try Scene(["The meeting will start at nine in the morning.", "She was born in the north of France."])
    let identity = ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: "")
    let view = AdversaryView(
      identity: identity, partition: PartitionPoints(input: p, output: 0),
      offsets: PackedBatch(lengths: scene.documents.map(\.count)).offsets,
      observations: [.inputHiddenStates: Observation(values: scene.states(p))])
    let attack = try AttackCatalog.make("sequential-matching", settings: ["candidates": .string("language-model")])
    #expect(try attack.reconstruct(view, with: scene.means) { _ in }.tokens == scene.documents)
  }

  /// Words in no order, under noise that leaves some of them in doubt: the language model foresees nothing, and an attack that goes on believing it reads
  /// less than one that notices.
  @Test func theLanguageModelIsBelievedAsFarAsItWasRight() throws {
    let words =
      "river of seven the paper green minister into winter school house and water taxes quickly bread under glass war for engine night to field sister"
    var scene = try Scene([words, "The meeting will start at nine in the morning, and nobody from the ministry of health had been told."])
    scene.means.auxiliary = [scene.documents[0].reversed(), scene.documents[1]]
    scene.documents = [scene.documents[0]]
    let clean = scene.states(1)
    let law = NoiseStatement(
      defense: "gaussian", law: .gaussian, sigma: 4.5 * rootMeanSquare(Array(clean.values.dropFirst(clean.columns))))
    let sent = law.observed(
      clean, sequences: clean.values.indices.prefix(clean.rows).map { _ in 0 }, positions: Array(0..<clean.rows),
      random: CounterRandom(seed: 8, stream: "noise"), scene.model.compute)
    let view = AdversaryView(
      identity: ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: ""),
      partition: PartitionPoints(input: 1, output: 0), offsets: [0, clean.rows],
      observations: [.inputHiddenStates: Observation(values: sent, noise: law)])
    func hits(_ trust: String) throws -> Int {
      let attack = try AttackCatalog.make("sequential-matching", settings: ["prior_trust": .string(trust)])
      return zip(try attack.reconstruct(view, with: scene.means) { _ in }.tokens[0], scene.documents[0]).count { $0 == $1 }
    }
    let (adaptive, full) = (try hits("adaptive"), try hits("full"))
    #expect(adaptive > full && adaptive < clean.rows, "adaptive \(adaptive), full \(full) of \(clean.rows)")
  }

  /// The bf16 pass leaves out nothing that matters: against distances of all tokens in f32, clean and under noise.
  @Test(arguments: [0.0, 0.9, 4.5]) func contendersHoldTheWholeMass(relative: Double) throws {
    let scene = try Scene(["The capital of France is Paris"])
    let tokens = scene.documents[0]
    let stack = scene.model.stack[0..<1]
    var caches = [stack.emptyCache()]
    let prefix = Array(tokens.dropLast())
    _ = stack.forward(scene.model.embedding.gather(prefix), PackedBatch(lengths: [prefix.count]), caches: &caches)
    var target = scene.states(1).slice(tokens.count - 1..<tokens.count)
    let rms = Float(rootMeanSquare(target.values))
    let sigma = max(1e-3, Float(relative)) * rms
    let noise = CounterRandom(seed: 3, stream: "noise").normals(item: 0, count: target.columns)
    for i in target.values.indices { target.values[i] += Float(relative * noise[i]) * rms }
    let vocabulary = VocabularyDistances(scene.means, inputBlocks: 1)
    let prior = [Float](repeating: 0, count: scene.model.configuration.vocabularySize)
    let found = vocabulary.contenders(after: caches[0], to: target, sigma: sigma, prior: prior)
    let full = vocabulary.squaredDistances(after: caches[0], to: target).map { Double(-$0) / Double(2 * sigma * sigma) }
    let best = full.max()!
    let listed = Set(found.map { Int($0.token) })
    let total = full.reduce(0) { $0 + exp($1 - best) }
    let missed = full.indices.filter { !listed.contains($0) }.reduce(0) { $0 + exp(full[$1] - best) }
    #expect(missed / total < 1e-6, "\(found.count) contenders miss \(missed / total)")
    for contender in found.prefix(64) {
      #expect(abs(Double(contender.score) - full[Int(contender.token)]) < 1e-3 * (1 + abs(full[Int(contender.token)])))
    }
  }

  /// Sends of one text are told from sends of others under noise three times the states' size, where their distances overlap: along the axes in which
  /// public text varies they do not.
  @Test func sendsAreLinkedUnderStrongNoise() throws {
    let own = [
      "The harbour was closed for two days because of the storm.", "Prices of wheat and maize rose again during the dry summer.",
      "She repaired the old clock that had stood still for years.", "The committee will publish its report on schools in autumn.",
      "A small bakery opened beside the railway station last week.", "He walked along the river until the first stars came out.",
    ]
    let other = [
      "The museum shows paintings from the north of the country.", "Our neighbours have planted apple trees behind the house.",
      "The train to the coast leaves every morning at half past six.", "Nobody knew why the lights in the village had gone out.",
      "The teacher asked them to read the second chapter at home.", "Engineers found a crack in one of the pillars of the bridge.",
      "In winter the lake freezes and children skate across it.", "The minister said that taxes would not be raised this year.",
      "They sold the farm and moved to a town in the mountains.", "A doctor from the capital visits the island once a month.",
      "The orchestra played an unknown piece by a young composer.", "It took him three hours to find the key to the cellar.",
    ]
    var scene = try Scene(other + own)
    let length = scene.documents.map(\.count).min()!
    let texts = scene.documents.map { Array($0.prefix(length)) }
    scene.means.auxiliary = Array(texts.prefix(other.count))
    scene.documents = (0..<4).flatMap { _ in texts.suffix(own.count) }
    let clean = scene.states(1)
    let later = (0..<clean.rows).filter { $0 % length != 0 }.flatMap { Array(clean[row: $0]) }
    let sigma = 3 * rootMeanSquare(later)
    let law = NoiseStatement(defense: "gaussian", law: .gaussian, sigma: sigma)
    let sent = law.observed(
      clean, sequences: scene.documents.indices.flatMap { d in (0..<length).map { _ in UInt64(d) } },
      positions: scene.documents.flatMap { Array($0.indices) }, random: CounterRandom(seed: 8, stream: "sends"), scene.model.compute)
    let view = AdversaryView(
      identity: ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: ""),
      partition: PartitionPoints(input: 1, output: 0), offsets: PackedBatch(lengths: scene.documents.map(\.count)).offsets,
      observations: [.inputHiddenStates: Observation(values: sent, noise: law)])
    let groups = SendLinking(sent, law, sigma: sigma, threshold: 6, inputBlocks: 1, scene.means).groups(view, sent)
    #expect(groups == own.indices.map { i in (0..<4).map { i + $0 * own.count } })
  }

  /// The distinguishing game between two texts that differ in one token, played through the defense on the real states: as hard as the closed
  /// form says, within the interval of what was measured.
  @Test(arguments: [0.05, 0.2, 0.6]) func gameOnRealStatesMeetsItsClosedForm(relative: Double) throws {
    let scene = try Scene(["She was born in the north of France", "She was born in the north of Spain"])
    let (length, clean) = (scene.documents[0].count, scene.states(2))
    #expect(scene.documents[1].count == length)
    let pair = [clean.slice(length - 1..<length), clean.slice(2 * length - 1..<2 * length)]
    let statistics = try StateStatistics(rows: pair[0].values, channels: clean.columns)
    let defense = try GaussianNoise(DefensePlan(name: "gaussian", noise: .relative(relative))).prepared(for: statistics, seed: 11)
    let sigma = try #require(defense.statement.sigma)
    let difference = zip(pair[1].values, pair[0].values).map { Double($0) - Double($1) }
    let distance = difference.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let mechanism = try GaussianMechanism(sigma: sigma, sensitivity: distance)

    let plays = 4000
    let scores = pair.indices.map { side -> [Double] in
      let sent = Matrix(rows: plays, columns: clean.columns, values: (0..<plays).flatMap { _ in pair[side].values })
      let released = defense.protector.protect(
        sent, sequences: (0..<plays).map { UInt64(side * plays + $0) }, positions: [Int](repeating: 0, count: plays))
      // The log-likelihood ratio of the two texts, up to a constant.
      return (0..<plays).map { zip(released[row: $0], difference).reduce(0) { $0 + Double($1.0) * $1.1 } }
    }
    let game = try DistinguishingGame.measured(scoresUnderH0: scores[0], scoresUnderH1: scores[1])
    #expect(
      game.aucInterval.lower <= mechanism.distinguishingAUC && mechanism.distinguishingAUC <= game.aucInterval.upper,
      "AUC \(game.auc) in \(game.aucInterval), closed form \(mechanism.distinguishingAUC)")
    let expected = mechanism.truePositiveRate(falsePositiveRate: game.atOnePercent.falsePositiveRate)
    let spread = (expected * (1 - expected) / Double(plays)).squareRoot()
    #expect(abs(game.atOnePercent.truePositiveRate - expected) < 5 * spread + 0.03)
  }
}
