import Attacks
import Audit
import AuditRunner
import Checkpoints
import Defenses
import Diagnostics
import Kernels
import Llama
import Privacy
import PrivateText
import SplitLearning
import TestSupport
import Testing

/// What the tap records of each channel on tiny models, and what the attacks on them must therefore find.
@Suite(.serialized) struct ChannelExchangeTests {
  struct Scene {
    var model: LlamaModel
    var documents: [PrivateDocument]
    var means: AttackerMeans

    init(_ name: String = "tiny-gqa", documents count: Int = 5, length: Int = 11) throws {
      model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/\(name)")))
      var generator = CounterRandom(seed: 8, stream: "documents").generator()
      let vocabulary = Int32(model.configuration.vocabularySize)
      func text(_ n: Int) -> [Int32] { (0..<n).map { _ in Int32.random(in: 0..<vocabulary, using: &generator) } }
      documents = (0..<count).map { PrivateDocument(id: "\($0)", text: "", tokens: text(length - $0 % 3)) }
      means = AttackerMeans(
        model: model, auxiliary: (0..<40).map { _ in text(length) }, excluded: [], seed: 1, memory: AttackerMemory(),
        encode: { $0.utf8.prefix(5).map { Int32($0) } })
    }

    func setting(_ p: Int, _ channels: [Channel], sigma: Double = 0) throws -> SplitExchange.Setting {
      let noise = sigma > 0 ? NoiseStatement(defense: "gaussian", law: .gaussian, sigma: sigma) : .none
      let protector: any StateProtector = sigma > 0 ? Noisy(noise: noise) : Unprotected()
      return SplitExchange.Setting(
        model, PartitionPoints(input: p, output: 1), PreparedDefense(protector: protector, statement: noise, units: [:]), channels: channels
      )
    }

    func view(_ setting: SplitExchange.Setting) throws -> (SplitExchange, AdversaryView) {
      let identity = ViewIdentity(runID: "r", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: "")
      let made = try SplitExchange.view(documents, setting, identity: identity)
      return (made.exchange, made.view)
    }

    func attack(_ name: String, _ settings: [String: SettingValue] = [:], on view: AdversaryView) throws -> [[Int32]] {
      try AttackCatalog.make(name, settings: settings).reconstruct(view, with: means) { _ in }.tokens
    }
  }

  struct Noisy: StateProtector {
    let noise: NoiseStatement
    func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix {
      noise.observed(
        states, sequences: sequences, positions: positions, random: CounterRandom(seed: 3, stream: "test"), Compute(threads: 1))
    }
  }

  static let models = ["tiny-gqa", "tiny-untied", "tiny-qwen2", "tiny-mistral"]

  /// Known answer 5, and collision at every block that the server runs.
  @Test(arguments: models) func cachesGiveEveryToken(name: String) throws {
    let scene = try Scene(name)
    let truth = scene.documents.map(\.tokens)
    for p in 0..<scene.model.configuration.blocks - 1 {
      var setting = try scene.setting(p, [.keys, .values, .queries])
      setting.capture.places = (p..<scene.model.configuration.blocks - 1).map { .block($0) }
      let (_, view) = try scene.view(setting)
      for block in p..<scene.model.configuration.blocks - 1 {
        let place: SettingValue = .number(Double(block))
        #expect(try scene.attack("cache-collision", ["block": place], on: view) == truth, "collision, p \(p), block \(block)")
        #expect(
          try scene.attack("cache-inversion", ["block": place, "tensors": .string("queries-keys-and-values")], on: view) == truth,
          "inversion, p \(p), block \(block)")
      }
    }
  }

  /// Known answer 5 without queries: keys and values alone, by inversion, by collision in the order of an inverter, and through a second block.
  @Test(arguments: models) func keysAndValuesAreEnough(name: String) throws {
    let scene = try Scene(name)
    let truth = scene.documents.map(\.tokens)
    var setting = try scene.setting(1, [.keys, .values])
    setting.capture.places = [.first, .last]
    let (_, view) = try scene.view(setting)
    #expect(try scene.attack("cache-inversion", on: view) == truth)
    for place in ["first", "last"] where name == "tiny-gqa" {
      let settings: [String: SettingValue] = ["block": .string(place), "candidates": .string("inverter")]
      #expect(try scene.attack("cache-collision", settings, on: view) == truth, "\(place)")
    }
  }

  /// A learned inverter of a cache reads what one of the states reads: the tiny models' tokens weigh more than their contexts.
  @Test(arguments: [0, 0.3]) func aCacheIsReadByALearnedInverter(sigma: Double) throws {
    let scene = try Scene(documents: 24)
    var setting = try scene.setting(1, [.inputHiddenStates, .keys, .values], sigma: sigma)
    setting.capture.places = [.first, .last]
    let (_, view) = try scene.view(setting)
    let quick: [String: SettingValue] = ["steps": .number(60), "rows_per_step": .number(256), "budget_seconds": .number(1e6)]
    func accuracy(_ name: String, _ more: [String: SettingValue]) throws -> Double {
      let found = try scene.attack(name, quick.merging(more) { $1 }, on: view)
      return Double(zip(found, scene.documents).reduce(0) { $0 + zip($1.0, $1.1.tokens).count { $0 == $1 } }) / Double(view.tokens)
    }
    let states = try accuracy("learned-inverter", [:])
    let first = try accuracy("learned-inverter", ["source": .string("cache")])
    let last = try accuracy("learned-inverter", ["source": .string("cache"), "block": .string("last")])
    let chance = 1 / Double(scene.model.configuration.vocabularySize)
    #expect(first > 10 * chance && first <= states + 0.05, "states \(states), first block \(first)")
    #expect(last > 10 * chance, "last block \(last)")
  }

  /// The same cache, labels dealt out anew: nothing is learned.
  @Test func shuffledLabelsOfACacheTeachNothing() throws {
    let scene = try Scene(documents: 24)
    let (_, view) = try scene.view(try scene.setting(1, [.keys, .values]))
    let found = try scene.attack(
      "shuffled-inverter",
      ["source": .string("cache"), "steps": .number(60), "rows_per_step": .number(256), "budget_seconds": .number(1e6)],
      on: view)
    let right = zip(found, scene.documents).reduce(0) { $0 + zip($1.0, $1.1.tokens).count { $0 == $1 } }
    #expect(Double(right) / Double(view.tokens) < 0.06, "\(right) of \(view.tokens)")
  }

  @Test func aLearnedInverterIsToldWhatItReads() throws {
    let scene = try Scene()
    var (_, view) = try scene.view(try scene.setting(1, [.inputHiddenStates, .keys, .values], sigma: 1))
    let cache: [String: SettingValue] = ["source": .string("cache"), "steps": .number(1)]
    #expect(try AttackCatalog.make("learned-inverter", settings: cache).reads == [.keys, .values])
    #expect(try AttackCatalog.make("learned-inverter", settings: [:]).reads == [.inputHiddenStates])
    #expect(throws: Fault.self) { try AttackCatalog.make("learned-inverter", settings: ["block": .string("last")]) }
    #expect(throws: Fault.self) { try scene.attack("learned-inverter", cache.merging(["block": .string("9")]) { $1 }, on: view) }
    // How large the noise is has to be known: it is rehearsed through the blocks.
    for channel in view.observations.keys { view.observations[channel]!.noise.sigma = nil }
    view.inputNoise.sigma = nil
    #expect(throws: Fault.self) { try scene.attack("learned-inverter", cache, on: view) }
  }

  /// Known answer 5: with keys and values of as many rows as the state has channels the state comes back; with fewer (grouped queries) something comes back
  /// that makes the same keys and values, and keys alone still tell most tokens.
  @Test(arguments: models) func leastSquaresSolvesTheProjections(name: String) throws {
    let scene = try Scene(name)
    let (block, compute) = (scene.model.stack.blocks[0], scene.model.compute)
    let states = compute.rmsNorm(scene.model.embedding.gather((0..<40).map { $0 }), weight: block.attentionNorm, epsilon: block.epsilon)
    let parts = [AdapterTarget.key, .value].map { block.effective($0, compute) }
    let projections = Matrix(stacking: parts)
    let seen = compute.product(states, projections, transposeB: true)
    let solved = try #require(LeastSquares(projections, compute)).solve(seen, compute)
    func distance(_ a: Matrix, _ b: Matrix) -> Float {
      let left = zip(a.values, b.values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      return (left / b.values.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }
    let again = distance(compute.product(solved, projections, transposeB: true), seen)
    #expect(again < 1e-3, "keys and values again: \(again)")
    if projections.rows >= projections.columns {
      #expect(distance(solved, states) < 1e-2, "\(name): \(distance(solved, states))")
    } else {
      #expect(distance(solved, states) > 0.1)
    }
  }

  @Test func keysAloneTellMostTokens() throws {
    let scene = try Scene("tiny-gqa")
    let (_, view) = try scene.view(try scene.setting(1, [.keys, .values, .queries, .inputHiddenStates]))
    let found = try scene.attack("cache-inversion", ["tensors": .string("keys")], on: view)
    let right = zip(found, scene.documents).reduce(0) { $0 + zip($1.0, $1.1.tokens).count { $0 == $1 } }
    #expect(Double(right) / Double(view.tokens) > 0.9)
  }

  /// Known answer 9: under noise the cache of the first server block says no more than the states that it was made from. Judged by the tokens that one of
  /// the two attacks reads and the other does not; the same judgement sees a cache of less noise than the states have.
  @Test(arguments: ["tiny-gqa", "tiny-untied"], [1, 2.5, 5.0]) func noisyCachesSayNoMoreThanStates(name: String, sigma: Double) throws {
    let scene = try Scene(name, documents: 60)
    let truth = scene.documents.flatMap(\.tokens)
    func hits(_ attack: String, _ sigma: Double) throws -> [Bool] {
      let (_, view) = try scene.view(try scene.setting(1, [.inputHiddenStates, .keys, .values], sigma: sigma))
      return zip(try scene.attack(attack, on: view).joined(), truth).map { $0 == $1 }
    }
    /// By how many standard deviations the first reads more than the second (McNemar).
    func excess(_ a: [Bool], _ b: [Bool]) -> Double {
      let (more, less) = (zip(a, b).count { $0 && !$1 }, zip(a, b).count { !$0 && $1 })
      return Double(more - less) / Double(max(1, more + less)).squareRoot()
    }
    let states = try hits("sequential-matching", sigma)
    for attack in ["cache-collision", "cache-inversion"] {
      let cache = try hits(attack, sigma)
      #expect(excess(cache, states) < 3, "\(attack): \(excess(cache, states))")
      if sigma < 5 { #expect(cache.count { $0 } * 20 > truth.count, "\(attack) reads \(cache.count { $0 }) of \(truth.count)") }
    }
    if sigma == 2.5 {
      let leak = excess(try hits("cache-collision", sigma / 2), states)
      #expect(leak > 3, "a cache of half the noise: \(leak)")
    }
  }

  /// Under noise a position's candidates are the proposals' first 128, unless the plan says how many.
  @Test func noiseBoundsTheSearch() throws {
    let scene = try Scene(documents: 4)
    let (_, view) = try scene.view(try scene.setting(1, [.keys, .values], sigma: 20))
    for name in ["cache-collision", "cache-inversion"] {
      func forwards(_ settings: [String: SettingValue]) throws -> Int {
        try AttackCatalog.make(name, settings: settings).reconstruct(view, with: scene.means) { _ in }.cost.candidateForwards / view.tokens
      }
      let (bounded, free) = (try forwards([:]), try forwards(["max_candidates": .number(1000)]))
      #expect(bounded <= 128 && free > 128, "\(name): \(bounded), \(free)")
    }
  }

  /// What is written while the run goes on is what memory would hold, channel by channel.
  @Test func theFileHoldsWhatMemoryHolds() throws {
    let scene = try Scene()
    var setting = try scene.setting(1, Channel.allCases, sigma: 0.2)
    setting.capture.places = [.first, .last]
    setting.capture.heads = [1]
    setting.capture.batch = 2
    let (_, view) = try scene.view(setting)
    try withFolder { folder in
      let exchange = try SplitExchange.dump(
        scene.documents, setting, identity: view.identity, to: folder + "/view.h5", decode: { _ in "" })
      let read = try ViewFile.read(folder + "/view.h5")
      #expect(read == view)
      #expect(exchange.messages == [0, 2, 4, 5])
      #expect(try ViewFile.read(folder + "/view.h5", channels: [.keys]).observations.keys.sorted { $0.rawValue < $1.rawValue } == [.keys])
      let bytes = try SplitExchange.predictedBytes(setting, scene.documents, precision: .f32)
      #expect(bytes == view.observations.values.reduce(0) { $0 + 4 * $1.values.values.count })
    }
  }

  /// A plan may ask for more blocks than the model has: refused, whoever asks first.
  @Test(arguments: [-1, 99, Int.max]) func partitionsThatDoNotFitAreRefused(p: Int) throws {
    let scene = try Scene()
    for channel in [Channel.inputHiddenStates, .keys] {
      let setting = try scene.setting(p, [channel])
      #expect(throws: Fault.self) { try SplitExchange.descriptions(setting, longest: 11) }
      #expect(throws: Fault.self) { try SplitExchange.predictedBytes(setting, scene.documents, precision: .f32) }
      #expect(throws: Fault.self) { try scene.view(setting) }
    }
  }

  /// Known answer 8: a secret order of the channels hides nothing from order statistics, and changes nothing for the client.
  @Test(arguments: models) func permutedStatesAreMatchedByTheirOrderStatistics(name: String) throws {
    let scene = try Scene(name)
    var setting = try scene.setting(1, [.inputHiddenStates, .outputHiddenStates])
    let (plain, open) = try scene.view(setting)
    let statistics = try StateStatistics(
      rows: open.observations[.inputHiddenStates]!.values.values, channels: scene.model.configuration.hiddenSize)
    setting.defense = try DefenseCatalog.make(DefensePlan(name: "permutation")).prepared(for: statistics, seed: 4)
    let (exchange, view) = try scene.view(setting)
    #expect(view.observations[.inputHiddenStates]!.values != open.observations[.inputHiddenStates]!.values)
    #expect(exchange.lossPerDocument == plain.lossPerDocument)
    #expect(try scene.attack("sequential-matching", on: view) == scene.documents.map(\.tokens))
    #expect(try scene.attack("nearest-embedding", on: view) != scene.documents.map(\.tokens))
    setting.channels = [.keys]
    #expect(throws: Fault.self) { try scene.view(setting) }
  }

  /// The same where each document's rows come in a secret order, alone and with a secret order of the channels.
  @Test(arguments: models, ["sequence-permutation", "factorized-permutation"]) func shuffledRowsAreMatchedOneByOne(
    name: String, defense: String
  ) throws {
    let scene = try Scene(name)
    var setting = try scene.setting(1, [.inputHiddenStates, .outputHiddenStates])
    let (plain, open) = try scene.view(setting)
    let statistics = try StateStatistics(
      rows: open.observations[.inputHiddenStates]!.values.values, channels: scene.model.configuration.hiddenSize)
    setting.defense = try DefenseCatalog.make(DefensePlan(name: defense)).prepared(for: statistics, seed: 4)
    let (exchange, view) = try scene.view(setting)
    #expect(view.observations[.inputHiddenStates]!.values != open.observations[.inputHiddenStates]!.values)
    #expect(view.observations[.outputHiddenStates]!.values != open.observations[.outputHiddenStates]!.values)
    #expect(exchange.lossPerDocument == plain.lossPerDocument)
    #expect(try scene.attack("sequential-matching", on: view) == scene.documents.map(\.tokens))
    #expect(try scene.attack("nearest-embedding", on: view) != scene.documents.map(\.tokens))
  }

  /// The same for a secret rotation: the client's answers differ by rounding, and the Gram matrix gives every token away.
  @Test(arguments: models) func rotatedStatesAreMatchedByTheirInvariants(name: String) throws {
    let scene = try Scene(name)
    var setting = try scene.setting(1, [.inputHiddenStates, .outputHiddenStates])
    let (plain, open) = try scene.view(setting)
    let statistics = try StateStatistics(
      rows: open.observations[.inputHiddenStates]!.values.values, channels: scene.model.configuration.hiddenSize)
    setting.defense = try DefenseCatalog.make(DefensePlan(name: "rotation")).prepared(for: statistics, seed: 4)
    let (exchange, view) = try scene.view(setting)
    #expect(view.observations[.inputHiddenStates]!.values != open.observations[.inputHiddenStates]!.values)
    for (a, b) in zip(exchange.lossPerDocument, plain.lossPerDocument) {
      let (a, b) = (try #require(a), try #require(b))
      #expect(abs(a - b) < 1e-3, "nats a token: \(a) in the secret basis, \(b) in the plain one")
    }
    #expect(try scene.attack("sequential-matching", on: view) == scene.documents.map(\.tokens))
    #expect(try scene.attack("nearest-embedding", on: view) != scene.documents.map(\.tokens))
  }

  /// A row of a map is a law over the positions up to its own.
  @Test func mapsAreLaws() throws {
    let scene = try Scene()
    let (_, view) = try scene.view(try scene.setting(1, [.attentionMaps]))
    let maps = try #require(view.observations[.attentionMaps])
    let longest = maps.values.columns / scene.model.configuration.heads
    for d in 0..<view.documents {
      for (t, row) in view.range(of: d).enumerated() {
        for head in 0..<scene.model.configuration.heads {
          let law = maps.values[row: row].dropFirst(head * longest).prefix(longest)
          #expect(abs(law.reduce(0, +) - 1) < 1e-5)
          #expect(law.dropFirst(t + 1).allSatisfy { $0 == 0 })
        }
      }
    }
  }

  /// Known answer 12, and A15: states that came one by one are those of the whole text, and what the model wrote is read from h_B exactly, noise or
  /// not.
  @Test func responsesAreReadFromTheStream() throws {
    let scene = try Scene()
    var setting = try scene.setting(1, [.inputHiddenStates, .outputHiddenStates], sigma: 0.5)
    setting.responses = 6
    let (exchange, view) = try scene.view(setting)
    #expect(view.promptLengths == scene.documents.map(\.tokens.count))
    #expect(exchange.documents.allSatisfy { $0.tokens.count == $0.promptLength! + 6 })
    var whole = scene
    whole.documents = exchange.documents
    setting.responses = 0
    let (_, batch) = try whole.view(setting)
    for channel in [Channel.inputHiddenStates, .outputHiddenStates] {
      let (a, b) = (view.observations[channel]!.values.values, batch.observations[channel]!.values.values)
      #expect(largestDifference(a, b) < 1e-4 * rootMeanSquare(b) * 10, "\(channel.rawValue)")
    }
    // Known answer 12: what was sent step by step gives an attack what the same text in one piece does.
    let streamed = try scene.attack("sequential-matching", on: view)
    #expect(try streamed == whole.attack("sequential-matching", on: batch))
    #expect(zip(streamed, exchange.documents).allSatisfy { $0.count == $1.tokens.count })
    let found = try scene.attack("response-reading", on: view)
    for (guess, document) in zip(found, exchange.documents) {
      #expect(guess.dropFirst(document.promptLength!) == document.tokens.dropFirst(document.promptLength!))
    }
  }

  /// The control knows positions only, so on random text it is at chance, and so is the inverter where maps carry nothing.
  @Test func mapInverterAndItsControlAgreeOnRandomText() throws {
    let scene = try Scene(documents: 12)
    let (_, view) = try scene.view(try scene.setting(1, [.attentionMaps]))
    let settings: [String: SettingValue] = ["steps": .number(40), "width": .number(16)]
    let control = try scene.attack("map-position-control", settings, on: view)
    let right = zip(control, scene.documents).reduce(0) { $0 + zip($1.0, $1.1.tokens).count { $0 == $1 } }
    #expect(Double(right) / Double(view.tokens) < 0.1)
    #expect(try scene.attack("map-inverter", settings, on: view).map(\.count) == scene.documents.map(\.tokens.count))
  }

  /// Views that do not fit are refused with a reason, never trapped on.
  @Test func foreignViewsAreRefused() throws {
    let scene = try Scene()
    var (_, view) = try scene.view(try scene.setting(1, [.keys, .values, .attentionMaps]))
    #expect(throws: Fault.self) { try scene.attack("cache-collision", ["block": .string("77")], on: view) }
    #expect(throws: Fault.self) { try scene.attack("response-reading", on: view) }
    #expect(throws: Fault.self) { try scene.attack("cache-collision", ["tensors": .string("queries-keys-and-values")], on: view) }
    view.observations[.keys]!.blocks = [99]
    view.observations[.attentionMaps]!.blocks = [99]
    #expect(throws: Fault.self) { try scene.attack("cache-collision", on: view) }
    #expect(throws: Fault.self) { try scene.attack("cache-inversion", on: view) }
    #expect(throws: Fault.self) { try scene.attack("map-inverter", on: view) }
    view.observations[.keys]!.blocks = [1]
    view.observations[.keys]!.values = Matrix(rows: view.tokens, columns: 3)
    #expect(throws: Fault.self) { try scene.attack("cache-collision", on: view) }
    #expect(throws: Fault.self) { try scene.setting(1, [.keys]).capture.blocks(of: 1..<1) }
  }

  /// Views of any shape that a file can have: an attack answers or refuses, it never traps.
  @Test func attacksSurviveViewsOfAnyShape() throws {
    let scene = try Scene(documents: 3, length: 7)
    var setting = try scene.setting(1, Channel.allCases, sigma: 0.3)
    setting.capture.places = [.first, .last]
    setting.capture.batch = 2
    let (_, good) = try scene.view(setting)
    var generator = SplitMix(state: 12)
    let names = [
      "cache-inversion", "cache-collision", "cache-injection", "map-inverter", "map-position-control", "response-reading", "label-matching",
      "gradient-span",
      "gradient-matching", "bidirectional-matching", "sequential-matching", "learned-inverter",
    ]
    var (answered, refused) = (0, 0)
    for round in 0..<40 {
      var view = good
      let channel = Channel.allCases.filter { $0 != .lengths }.randomElement(using: &generator)!
      var observation = view.observations[channel]!
      switch round % 8 {
      case 0: observation.blocks = [Int.random(in: 0..<9, using: &generator)]
      case 1: observation.blocks = []
      case 2: observation.blocks = [0, 1, 2, 3].filter { _ in Bool.random(using: &generator) }
      case 3: observation.heads = [Int.random(in: 0..<99, using: &generator)]
      case 4:
        observation.values = Matrix(
          rows: observation.values.rows, columns: 1 + Int.random(in: 0..<200, using: &generator))
      case 5: observation.values = Matrix(rows: observation.values.rows, columns: observation.values.columns)
      case 6: view.messages = [0, view.documents]
      default: view.promptLengths = view.promptLengths.map { _ in 0 }
      }
      if round % 8 == 7 { observation.values.values = observation.values.values.map { _ in 3e38 } }
      view.observations[channel] = observation
      for name in names {
        var settings: [String: SettingValue] = [:]
        if name.hasPrefix("map") { settings = ["steps": .number(2), "width": .number(8)] }
        if name == "gradient-matching" || name == "bidirectional-matching" { settings = ["steps": .number(2)] }
        if name == "learned-inverter" { settings = ["steps": .number(2), "rows_per_step": .number(32), "source": .string("cache")] }
        do {
          let found = try scene.attack(name, settings, on: view)
          #expect(found.map(\.count) == scene.documents.map(\.tokens.count), "\(name) in round \(round)")
          answered += 1
        } catch is Fault {
          refused += 1
        }
      }
    }
    #expect(answered > 0 && refused > 0, "\(answered), \(refused)")
  }

  /// Blocks that the server does not run, in channels that agree with each other: refused by whatever needs them.
  @Test(arguments: [[0, 3], [0, 2], [-1, 3], [3, 4], [9, 10], [0, 1]]) func blocksOfTheClientAreRefused(blocks: [Int]) throws {
    let scene = try Scene(documents: 10, length: 7)
    var setting = try scene.setting(1, [.keys, .values, .attentionMaps], sigma: 0.3)
    setting.capture.places = [.first, .last]
    var (_, view) = try scene.view(setting)
    for channel in [Channel.keys, .values, .attentionMaps] { view.observations[channel]?.blocks = blocks }
    let place: [String: SettingValue] = ["block": .string("first")]
    let quick: [String: SettingValue] = ["steps": .number(2), "width": .number(8)]
    for (name, settings) in [
      ("cache-inversion", place), ("cache-collision", place), ("map-inverter", quick), ("map-position-control", quick),
    ] where blocks[0] < 1 || name.hasPrefix("map") {
      #expect(throws: Fault.self, "\(name) of blocks \(blocks)") { try scene.attack(name, settings, on: view) }
    }
  }
}
