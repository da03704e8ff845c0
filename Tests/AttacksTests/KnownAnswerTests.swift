import Attacks
import Audit
import Checkpoints
import Defenses
import Diagnostics
import Foundation
import Kernels
import Llama
import Privacy
import SplitLearning
import TestSupport
import Testing

/// Attacks whose right answer is known in advance, on tiny random models.
@Suite(.serialized) struct KnownAnswerTests {
  struct Scene {
    var model: LlamaModel
    var documents: [[Int32]]
    var means: AttackerMeans

    init(_ name: String = "tiny-gqa", documents count: Int = 6, length: Int = 12) throws {
      model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/\(name)")))
      var generator = CounterRandom(seed: 5, stream: "documents").generator()
      let vocabulary = Int32(model.configuration.vocabularySize)
      func text(_ n: Int) -> [Int32] { (0..<n).map { _ in Int32.random(in: 0..<vocabulary, using: &generator) } }
      documents = (0..<count).map { text(length - $0 % 3) }
      let auxiliary = (0..<40).map { _ in text(20) }
      means = AttackerMeans(model: model, auxiliary: auxiliary, excluded: [], seed: 1, memory: AttackerMemory())
    }

    /// What a tap after `p` blocks sees.
    func view(_ p: Int, sigma: Double = 0, clip: Double? = nil, seed: UInt64 = 1) throws -> AdversaryView {
      let batch = PackedBatch(lengths: documents.map(\.count))
      let stack = model.stack[0..<p]
      var caches = documents.map { _ in stack.emptyCache() }
      let clean = stack.forward(model.embedding.gather(documents.flatMap { $0 }), batch, caches: &caches)
      let statistics = try StateStatistics(rows: clean.values, channels: clean.columns)
      let defense = try GaussianNoise(DefensePlan(name: "gaussian", noise: sigma > 0 ? .sigma(sigma) : nil, clip: clip))
        .prepared(for: statistics, seed: seed)
      let ids = documents.indices.flatMap { d in documents[d].map { _ in UInt64(d) } }
      let identity = ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: "")
      return AdversaryView(
        identity: identity, partition: PartitionPoints(input: p, output: 0), offsets: batch.offsets,
        observations: [
          .inputHiddenStates: Observation(
            values: defense.protector.protect(clean, sequences: ids, positions: batch.positions), noise: defense.statement)
        ])
    }

    func accuracy(_ found: Reconstruction) -> Double {
      let hits = zip(documents, found.tokens).reduce(0) { $0 + zip($1.0, $1.1).count { $0 == $1 } }
      return Double(hits) / Double(documents.reduce(0) { $0 + $1.count })
    }

    func attack(_ name: String, _ settings: [String: SettingValue] = [:], on view: AdversaryView) throws -> Reconstruction {
      try AttackCatalog.make(name, settings: settings).reconstruct(view, with: means) { _ in }
    }
  }

  static let models = ["tiny-gqa", "tiny-untied", "tiny-qwen2", "tiny-mistral"]

  /// Clean states give every token at every cut, in every candidate order.
  @Test(arguments: models, ["proposals", "language-model", "exhaustive"]) func matchingRecoversCleanStates(model: String, order: String)
    throws
  {
    let scene = try Scene(model)
    for p in 0...scene.model.configuration.blocks {
      let found = try scene.attack("sequential-matching", ["candidates": .string(order)], on: try scene.view(p))
      #expect(found.tokens == scene.documents, "p \(p)")
    }
  }

  /// The learned inverter's order of candidates changes what is tried, not what is found.
  @Test func theInverterOrdersCandidates() throws {
    let scene = try Scene(documents: 8)
    func found(_ order: String, sigma: Double) throws -> Reconstruction {
      let settings: [String: SettingValue] = ["candidates": .string(order), "max_candidates": .number(sigma > 0 ? 60 : 384)]
      return try scene.attack("sequential-matching", settings, on: scene.view(2, sigma: sigma))
    }
    #expect(try found("inverter", sigma: 0).tokens == scene.documents)
    let (plain, ordered) = (try found("proposals", sigma: 0.3), try found("inverter", sigma: 0.3))
    #expect(abs(scene.accuracy(plain) - scene.accuracy(ordered)) < 0.05, "\(scene.accuracy(plain)), \(scene.accuracy(ordered))")
    #expect(plain.posterior != ordered.posterior)
  }

  @Test func clippedStatesAreMatchedAfterTheSameClip() throws {
    let scene = try Scene()
    let found = try scene.attack("sequential-matching", on: try scene.view(2, clip: 0.5))
    #expect(found.tokens == scene.documents)
  }

  /// Under overwhelming noise every attack falls to chance.
  @Test(arguments: ["sequential-matching", "anchors", "nearest-embedding", "head-reading"]) func hugeNoiseLeavesNothing(name: String) throws
  {
    let scene = try Scene(documents: 12)
    #expect(scene.accuracy(try scene.attack(name, on: try scene.view(1, sigma: 1e4))) < 0.06)
  }

  /// Documents of one token: sequential matching is the nearest-codeword decoder with a prior, so its errors are those of a direct Monte Carlo
  /// of that decoder. Both see the same noise law, not the same noise.
  @Test func oneTokenErrorRateIsTheCodebooks() throws {
    var scene = try Scene(documents: 1, length: 1)
    scene.means.auxiliary = []  // a flat unigram prior
    let vocabulary = scene.model.configuration.vocabularySize
    scene.documents = (0..<4).flatMap { _ in (0..<vocabulary).map { [Int32($0)] } }
    let stack = scene.model.stack[0..<2]
    let codebook = stack.candidates(
      scene.model.embedding.gather((0..<vocabulary).map(Int32.init)), prefixOf: (0..<vocabulary).map { _ in 0 },
      caches: [stack.emptyCache()])
    let sigma = 5.0
    let found = try scene.attack("sequential-matching", ["candidates": .string("exhaustive")], on: try scene.view(2, sigma: sigma))
    let random = CounterRandom(seed: 99, stream: "monte-carlo")
    var hits = 0
    let trials = 4 * vocabulary
    for trial in 0..<trials {
      let truth = trial % vocabulary
      let y = zip(codebook[row: truth], random.normals(item: UInt64(trial), count: codebook.columns)).map { Double($0) + sigma * $1 }
      let nearest = (0..<vocabulary).min { a, b in
        func distance(_ v: Int) -> Double { zip(codebook[row: v], y).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) } }
        return distance(a) < distance(b)
      }!
      if nearest == truth { hits += 1 }
    }
    let (a, b) = (scene.accuracy(found), Double(hits) / Double(trials))
    #expect(b > 0.1 && b < 0.95, "the comparison needs a noise that confuses some tokens: \(b)")
    #expect(abs(a - b) < 4 * (2 * b * (1 - b) / Double(trials)).squareRoot(), "attack \(a), decoder \(b)")
  }

  /// A wider beam helps under noise that misleads a greedy decoder.
  @Test func beamHelps() throws {
    let scene = try Scene(documents: 20)
    let view = try scene.view(2, sigma: 2)
    let greedy = scene.accuracy(
      try scene.attack("sequential-matching", ["candidates": .string("exhaustive"), "beam": .number(1)], on: view))
    let beam = scene.accuracy(try scene.attack("sequential-matching", ["candidates": .string("exhaustive"), "beam": .number(4)], on: view))
    #expect(greedy < 0.95 && beam > greedy, "greedy \(greedy), beam \(beam)")
  }

  /// Four hypotheses are taken where noise leaves doubt, and not where there is none or where the first pass tried too many candidates.
  @Test func theBeamWidensWhereItHelps() throws {
    let scene = try Scene(documents: 8)
    func found(_ sigma: Double, _ tune: String, most: Double = 120) throws -> (accuracy: Double, forwards: Int) {
      let settings: [String: SettingValue] = ["tune": .string(tune), "max_candidates": .number(most)]
      let found = try scene.attack("sequential-matching", settings, on: scene.view(2, sigma: sigma))
      return (scene.accuracy(found), found.cost.candidateForwards)
    }
    let (narrow, wide) = (try found(2, "never"), try found(2, "rehearsed"))
    #expect(wide.accuracy > narrow.accuracy && wide.forwards > 2 * narrow.forwards, "\(narrow), \(wide)")
    let (still, same) = (try found(0.05, "never", most: 384), try found(0.05, "rehearsed", most: 384))
    #expect(still.accuracy == 1 && same == still, "\(still), \(same)")
    let (all, asMany) = (try found(2, "never", most: 384), try found(2, "rehearsed", most: 384))
    #expect(all == asMany && all.forwards > 150 * scene.documents.reduce(0) { $0 + $1.count }, "\(all), \(asMany)")
  }

  /// Text of sixteen tokens of 384, and a prior that is hardly believed: a rehearsal on public text of that kind believes it more, says so, and reads more of
  /// the private text.
  @Test func thePriorsWeightIsTunedOnPublicText() throws {
    var scene = try Scene(documents: 12)
    scene.documents = scene.documents.map { $0.map { $0 % 16 } }
    scene.means.auxiliary = scene.means.auxiliary.map { $0.map { $0 % 16 } }
    let view = try scene.view(2, sigma: 3)
    let settings: [String: SettingValue] = ["prior_weight": .number(0.1), "max_candidates": .number(120)]
    let given = try scene.attack("sequential-matching", settings, on: view)
    let tuned = try scene.attack("sequential-matching", settings.merging(["tune": .string("rehearsed")]) { $1 }, on: view)
    #expect(scene.accuracy(tuned) > scene.accuracy(given), "\(scene.accuracy(given)), tuned \(scene.accuracy(tuned))")
    #expect(
      given.notes.isEmpty && tuned.notes.count == 1 && tuned.notes[0].hasPrefix("chosen on 8 public passages: prior_weight 0."),
      "\(tuned.notes)")
  }

  /// Scores that know the covariance of the residual order candidates no worse than those that know its variances, clean and under noise.
  @Test func whitenedAnchorsAreNoWorse() throws {
    let scene = try Scene(documents: 20)
    let table = AnchorTable.at(2, scene.means)
    for sigma in [0, 0.5, 1.0] {
      let view = try scene.view(2, sigma: sigma)
      let y = view.observations[.inputHiddenStates]!.values
      let later = (0..<view.documents).flatMap { Array(view.range(of: $0).dropFirst()) }
      func nats(_ scorer: AnchorScorer) -> Double {
        let scores = scorer.logLikelihoods(y, scene.model.compute)
        let truth = scene.documents.flatMap { $0 }
        return zip(later, later.map { scene.model.compute.logSumExp(scores.slice($0..<$0 + 1))[0] }).reduce(0) {
          $0 + Double($1.1 - scores[$1.0, Int(truth[$1.0])])
        } / Double(later.count)
      }
      let diagonal = nats(table.scorer(isFirst: false, sigma: sigma, scene.model.compute))
      let whitened = nats(table.whitenedScorer(sigma: sigma, inputBlocks: 2, feature: nil, scene.means))
      #expect(whitened < diagonal + 0.05, "σ \(sigma): whitened \(whitened), diagonal \(diagonal) nats a token")
    }
  }

  /// The shuffled control: a perfect attack is at chance against the truth of other documents.
  @Test func shuffledTruthIsChance() throws {
    var scene = try Scene(documents: 12)
    let found = try scene.attack("sequential-matching", on: try scene.view(1))
    #expect(scene.accuracy(found) == 1)
    scene.documents = Array(scene.documents[3...] + scene.documents[..<3])
    #expect(scene.accuracy(found) < 0.05)
  }

  @Test func posteriorsAreDistributions() throws {
    let scene = try Scene()
    for name in ["sequential-matching", "anchors", "unigram", "uniform", "language-model"] {
      let posterior = try #require(try scene.attack(name, on: try scene.view(1, sigma: 0.5)).posterior)
      #expect(posterior.positions == scene.documents.reduce(0) { $0 + $1.count })
      for position in 0..<posterior.positions {
        let range = position * posterior.width..<(position + 1) * posterior.width
        let listed = posterior.logProbabilities[range].reduce(0.0) { $0 + exp(Double($1)) }
        #expect(abs(listed + exp(Double(posterior.restLogProbability[position])) - 1) < 1e-3, "\(name) \(position)")
      }
    }
  }

  @Test func wrongSettingsAndMissingChannelsAreFaults() throws {
    let scene = try Scene()
    #expect(throws: Fault.self) { try AttackCatalog.make("sequential-matchng", settings: [:]) }
    #expect(throws: Fault.self) { try AttackCatalog.make("sequential-matching", settings: ["beem": .number(2)]) }
    #expect(throws: Fault.self) { try AttackCatalog.make("sequential-matching", settings: ["beam": .number(0.5)]) }
    #expect(throws: Fault.self) { try AttackCatalog.make("nearest-embedding", settings: ["distance": .string("l3")]) }
    var view = try scene.view(1)
    view.observations = [:]
    #expect(throws: Fault.self) { try scene.attack("sequential-matching", on: view) }
  }
}
