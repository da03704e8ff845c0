import Audit
import AuditRunner
import Checkpoints
import Datasets
import Defenses
import Diagnostics
import Fetching
import Foundation
import Kernels
import Llama
import PrivateText
import Reports
import SplitLearning
import Tasks
import TestSupport
import Testing

/// Small runs of SmolLM2, where `make test` fetched it: a record with controls, failures and marked data; and dumps that must be refused.
@Suite(.serialized) struct RealRunTests {
  static let store = ArtifactStore(root: URL(filePath: Fixture.root), datasets: DatasetCatalog.manifests)
  static let isThere = Fixture.realCheckpoint != nil && (try? store.path(of: TextDataset.stateOfTheUnion.manifests[0])) != nil

  private func plan(_ extra: String = "", attacks: String) throws -> AuditPlan {
    let text = """
      plan: small
      model: {checkpoint: smollm2-135m-instruct, partition: {input: 1, output: 1}}
      threat_model: {auxiliary: state-of-the-union}
      dataset: {name: canaries, limit: 2, min_tokens: 20, max_tokens: 40}
      defense: {name: gaussian, sigma: 0.05}
      attacks: \(attacks)
      \(extra)
      """
    return try AuditPlan(yaml: text, origin: "small.yaml", known: Catalogs.names(in: Self.store))
  }

  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func aFailingAttackStopsNothing() throws {
    let scratch = try Scratch()
    let plan = try plan(
      attacks:
        "[uniform, unigram, {name: external, command: [sh, -c, exit 3]}, {name: nearest-embedding, distance: cosine}, sequential-matching]")
    let runner = AuditRunner(plan, store: Self.store, compute: Compute(threads: 2)) { _ in }
    let record = try runner.run(in: URL(filePath: scratch.path), runID: "small")
    #expect(record.complete && record.valid == true && record.invalidReasons == [])
    #expect(record.failures?.map(\.attack) == ["external"] && record.failures?[0].message.contains("status 3") == true)
    let leak = try #require(record.controls?.plantedLeaks.first)
    #expect(record.controls?.plantedLeaks.count == 1 && leak.found && leak.accuracy >= 0.99 && leak.partition == "p = 1, q = 1")
    let attacks = Set(record.results.map(\.attack))
    #expect(attacks == ["uniform", "unigram", "language-model", "nearest-embedding", "sequential-matching"])
    #expect(record.controls?.shuffled == [])
    func value(_ attack: String, _ metric: String) -> CellResult? { record.results.first { $0.attack == attack && $0.metric == metric } }
    // This little noise hides nothing from the reference attack: every secret is read, and ranks first of its alternatives.
    #expect(value("sequential-matching", "pii_recall_secret")?.mean == 1)
    #expect((value("sequential-matching", "canary_exposure")?.mean ?? 0) > 9)
    #expect((value("uniform", "canary_exposure")?.mean ?? 9) < 1.01)
    let gain = try #require(value("sequential-matching", "token_accuracy"))
    #expect(gain.gainCI95?.count == 2 && (gain.gainOverBaseline ?? 0) > 0.5)
    #expect(value("sequential-matching", "rare_token_accuracy") != nil && value("sequential-matching", "content_word_accuracy") != nil)
    for name in ["truth.h5", "samples.jsonl", "cells/p1-q1-sigma0.05-seed1/cell.json"] {
      let mode = try FileManager.default.attributesOfItem(atPath: scratch.file(name))[.posixPermissions] as? NSNumber
      #expect(mode?.intValue == 0o600, "\(name)")
    }
    #expect(try TruthFile.read(scratch.file("truth.h5")).documents.allSatisfy { $0.entities?.first?.space != nil })
    // What was found is the best of what was asked: the record says what was not.
    let left = try #require(record.channels?.first { $0.channel == Channel.inputHiddenStates.rawValue }?.notAsked)
    #expect(left.contains("anchors") && !left.contains("sequential-matching") && !left.contains("unigram") && !left.contains("external"))
    #expect(record.channels?.contains { $0.channel == Channel.keys.rawValue && $0.notAsked == nil && $0.notApplicable != nil } == true)
    #expect(try RecordFile.read(fromDirectory: URL(filePath: scratch.path)) == record)
  }

  /// A plan that names no control has them all: guesses in every cell, and shuffled labels once a partition where something learns, beside the results.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func controlsStandInEveryRun() throws {
    let scratch = try Scratch()
    let plan = try plan(
      "sweep: {defense.sigma: [0.05, 0.1]}", attacks: "[{name: learned-inverter, steps: 0}, {name: anchors, documents: 1}]")
    let record = try AuditRunner(plan, store: Self.store, compute: Compute(threads: 2)) { _ in }
      .run(in: URL(filePath: scratch.path), runID: "controls")
    let accuracies = record.results.filter { $0.metric == "token_accuracy" }
    let guesses: Set = ["uniform", "unigram", "language-model"]
    #expect(
      Dictionary(grouping: accuracies, by: \.cell).values.map { Set($0.map(\.attack)) } == [
        guesses.union(["learned-inverter", "anchors"]), guesses.union(["learned-inverter", "anchors"]),
      ])
    #expect(accuracies.filter { guesses.contains($0.attack) }.allSatisfy { $0.n == 2 && $0.gainOverBaseline == nil })
    #expect(record.attacks.map { guesses.isSubset(of: $0.map(\.name)) } == true)
    let shuffled = try #require(record.controls?.shuffled)
    #expect(shuffled.map(\.attack) == ["shuffled-inverter"] && shuffled[0].cell == "p1-q1-sigma0.05-seed1" && shuffled[0].accuracy < 0.2)
    #expect(accuracies.filter { $0.attack == "learned-inverter" }.allSatisfy { $0.mean > 0.8 })
    // Named by the plan, it is a result like any other, and not run twice.
    let named = try self.plan(attacks: "[shuffled-inverter, learned-inverter]")
    #expect(StandingControls.shuffled(named) == nil && StandingControls.completed(named.attacks).count == 5)
    let decoder = try self.plan(attacks: "[{name: attention-decoder, steps: 3, budget_seconds: 7}]")
    #expect(StandingControls.shuffled(decoder)?.settings == ["budget_seconds": .number(7)])
    #expect(StandingControls.learners.allSatisfy { name in AttackRoster.descriptions.contains { $0.name == name } })
    #expect(try StandingControls.shuffled(self.plan(attacks: "[anchors]")) == nil)
  }

  /// Processes that share a run leave what one process leaves; a name that no cell has is refused.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func aRunCanBeShared() throws {
    let plan = try plan(
      "seeds: [1, 2]\nsweep: {model.partition.input: [0, 1]}", attacks: "[unigram, {name: nearest-embedding, documents: 1}]")
    var told: [AuditRunner.Progress] = []
    func run(_ folder: String, only: String? = nil) throws -> AuditRecord {
      told = []
      return try AuditRunner(plan, store: Self.store, compute: Compute(threads: 2)) { told.append($0) }
        .run(in: URL(filePath: folder), runID: "shared", only: only)
    }
    func facts(_ record: AuditRecord) -> [String] { record.results.map { "\($0.cell) \($0.attack) \($0.metric) \($0.mean) \($0.n)" } }
    let (shared, single) = (try Scratch(), try Scratch())
    let second = try run(shared.path, only: "seed2-p1")
    #expect(!second.complete && Set(second.results.map(\.cell)) == ["p1-q1-sigma0.05-seed2"])
    // What is left is estimated from the part that this process does.
    #expect(told.allSatisfy { $0.cells == 1 && (0...1).contains($0.fraction) && $0.reused == 0 } && told.contains { $0.fraction > 0.5 })
    #expect(try !run(shared.path, only: "seed1").complete)
    #expect(throws: Fault.self) { try run(shared.path, only: "seed") }
    let together = try run(shared.path)
    #expect(together.complete && together.valid == true)
    #expect(told.contains { $0.cells == 4 && $0.cell == 3 && $0.reused == 0.5 } && told.allSatisfy { $0.reused <= $0.fraction })
    #expect(try facts(together) == facts(run(single.path)))
    #expect(Set(together.results.filter { $0.attack == "nearest-embedding" }.map(\.n)) == [1])
    #expect(throws: Fault.self) { try AttackRoster.make(AttackPlan(name: "unigram", documents: 1)) }
    #expect(throws: Fault.self) { try AttackRoster.make(AttackPlan(name: "gradient-span", documents: 1)) }
  }

  /// Sent twice, scored once: the view and its truth hold every send, the record counts documents. The reference stands beside single sends only.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func repeatedSendsAreScoredOnce() throws {
    let scratch = try Scratch()
    let repeated = try plan("", attacks: "[unigram, averaging]").overriding(["dataset.repeats=2", "dataset.limit=3"])
    let record = try AuditRunner(repeated, store: Self.store, compute: Compute(threads: 2)) { _ in }
      .run(in: URL(filePath: scratch.path), runID: "repeated")
    let averaged = try #require(record.results.first { $0.attack == "averaging" && $0.metric == "token_accuracy" })
    #expect(averaged.n == 3 && averaged.mean > 0.99 && record.dataset.documents == 3)
    #expect(try TruthFile.read(scratch.file("truth.h5")).documents.count == 6)
    #expect(record.valid == true && record.references == nil)
  }

  /// The reference is in the record where the plan asks for it, and the attack that ran is beside it.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func theReferenceIsRecorded() throws {
    let scratch = try Scratch()
    let record = try AuditRunner(
      try plan("reference: 4", attacks: "[unigram, sequential-matching]"), store: Self.store, compute: Compute(threads: 2)
    ) { _ in }.run(in: URL(filePath: scratch.path), runID: "reference")
    let reference = try #require(record.references?.first)
    #expect(record.references?.count == 1 && reference.positions >= 4 && reference.accuracy == 1)
    #expect(reference.attacks.map(\.attack) == ["sequential-matching"] && reference.attacks[0].shortfall == 0)
  }

  /// Inference runs beside the attacks; one that cannot run is noted, and the record holds the rest.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func inferenceIsRecorded() throws {
    let scratch = try Scratch()
    let plan = try plan(
      "inference: [{name: distinguishing-game, trials: 60, tokens: 8}, metadata-length, attribute, metadata-answer]", attacks: "[unigram]"
    ).overriding(["dataset.responses=2", "dataset.limit=3", "defense.sigma=40"])
    var parts: [Double] = []
    let record = try AuditRunner(plan, store: Self.store, compute: Compute(threads: 2)) { parts.append($0.fraction) }
      .run(in: URL(filePath: scratch.path), runID: "inference")
    // Attacks and inference are told as one way forward.
    #expect(zip(parts, parts.dropFirst()).allSatisfy { $0 <= $1 } && parts.contains { $0 > 0.5 && $0 < 1 })
    #expect(record.failures?.map(\.attack) == ["attribute"])
    let results = try #require(record.inference)
    #expect(results.map(\.question) == [.sentCandidate, .promptLength, .answerLength, .yesNoAnswer])
    #expect(results[0].n == 60 && results[0].closedForm != nil && results[0].epsilonClaimed == nil)
    #expect(results[1].accuracy == 1 && results[2].accuracy == 1 && results[2].bits == 0)
    #expect(record.attacks?.map(\.name).contains("metadata-length") == true)
    let lengths = try #require(record.channels?.first { $0.channel == Channel.lengths.rawValue })
    #expect(lengths.mean == 1 && lengths.bestAttack == "metadata-length" && lengths.n == 3 && lengths.notApplicable == nil)
    #expect(try RecordFile.read(fromDirectory: URL(filePath: scratch.path)) == record)
  }

  /// A server at work has queries too: an attack opens what its settings say, and a game that needs what the client sends is not played without.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func whatIsReadIsWhatIsGranted() throws {
    let scratch = try Scratch()
    let granted = "threat_model.channels=[server/queries, server/keys, server/values]"
    let plan = try plan(
      "inference: [{name: distinguishing-game, trials: 10, tokens: 8}]",
      attacks:
        "[unigram, {name: cache-inversion, tensors: queries-keys-and-values}, {name: cache-collision, tensors: values}, nearest-embedding]"
    ).overriding([granted, "dataset.limit=1", "defense.sigma=0"])
    var told: [String] = []
    let record = try AuditRunner(plan, store: Self.store, compute: Compute(threads: 2), announce: { told.append($0) }) { _ in }
      .run(in: URL(filePath: scratch.path), runID: "queries")
    let read = Dictionary(
      uniqueKeysWithValues: record.results.filter { $0.metric == "token_accuracy" }.map { ($0.attack, ($0.channel, $0.mean)) })
    #expect(read["cache-inversion"]?.0 == Channel.queries.rawValue && read["cache-inversion"]?.1 == 1)
    #expect(read["cache-collision"]?.0 == Channel.values.rawValue && read["cache-collision"]?.1 == 1)
    #expect(Set(record.failures?.map(\.attack) ?? []) == ["nearest-embedding", "distinguishing-game"])
    #expect(record.failures?.allSatisfy { $0.message.contains("input_cut/hidden_states") } == true)
    #expect(record.channels?.first { $0.channel == Channel.queries.rawValue }?.bestAttack == "cache-inversion")
    #expect(told.count == 1 && told[0].hasPrefix("views") && told[0].hasSuffix("in 1 cell"))
  }

  /// A dump has the states that a run attacks: of the victim's model, which was fine-tuned, each text sent as often as the plan says.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func aDumpIsWhatARunAttacks() throws {
    let scratch = try Scratch()
    let plan = try plan("victim: {passages: 8, steps: 2, batch: 1, rank: 2, learning_rate: 0.01}", attacks: "[unigram]")
      .overriding(["dataset.repeats=2"])
    _ = try AuditRunner(plan, store: Self.store, compute: Compute(threads: 2)) { _ in }.run(in: URL(filePath: scratch.path), runID: "run")
    let cell = try #require(try plan.cells().first)
    let loaded = try LoadedModel(plan.model.checkpoint, in: Self.store, compute: Compute(threads: 2))
    let bench = try Workbench(cell.plan, seed: cell.seed, loaded: loaded, store: Self.store)
    let defense = try DefenseCatalog.make(cell.defense).prepared(
      for: try bench.statistics(inputBlocks: cell.partition.input), seed: UInt64(cell.seed))
    let identity = ViewIdentity(
      runID: "dump", planSHA256: plan.sha256, checkpointSHA256: loaded.description.sha256,
      tokenizerSHA256: loaded.description.tokenizerSHA256, created: "", fedseaVersion: Version.current)
    _ = try bench.dump(cell, bench.setting(cell, defense), identity: identity, to: scratch.file("dump.h5")) { _ in }
    let (dumped, attacked) = (try ViewFile.read(scratch.file("dump.h5")), try ViewFile.read(scratch.file("cells/\(cell.id)/view.h5")))
    #expect(dumped.documents == 4 && dumped.offsets == attacked.offsets && dumped.observations == attacked.observations)
    let states = try #require(dumped.observations[.inputHiddenStates])
    let plain = try SplitExchange.view(
      bench.corpus.sent, SplitExchange.Setting(cell.plan, loaded.model, defense, seed: cell.seed), identity: identity)
    #expect(plain.view.observations[.inputHiddenStates]?.values != states.values)
  }

  /// Members are fine-tuned on, the others are not, and no other fine-tuning text overlaps them.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func membersAreApart() throws {
    let plan = try plan(
      "victim: {passages: 40}", attacks: "[unigram]"
    ).overriding(["dataset.name=state-of-the-union", "dataset.limit=20", "dataset.members=0.5", "inference=[membership-loss]"])
    let tokenizer = try LoadedModel(plan.model.checkpoint, in: Self.store, compute: Compute(threads: 2)).tokenizer
    let corpus = try PrivateCorpus(plan, tokenizer: tokenizer, store: Self.store)
    let texts = try PrivateCorpus.victimTexts(plan, tokenizer: tokenizer, store: Self.store)
    let known = Set(texts)
    #expect(texts.count == 50 && corpus.documents.count { $0.isMember == true } == 10)
    for document in corpus.documents { #expect(known.contains(document.tokens) == (document.isMember == true)) }
    func shingles(_ tokens: [Int32]) -> [[Int32]] { tokens.count < 12 ? [] : (0...tokens.count - 12).map { Array(tokens[$0..<$0 + 12]) } }
    let seen = Set(texts.flatMap(shingles))
    for document in corpus.documents where document.isMember == false {
      #expect(shingles(document.tokens).allSatisfy { !seen.contains($0) })
    }
    // Whoever is attacked is the same document whether or not others are asked for.
    var without = plan
    without.dataset.members = nil
    #expect(try PrivateCorpus(without, tokenizer: tokenizer, store: Self.store).documents.map(\.tokens) == corpus.documents.map(\.tokens))
  }

  /// What the model does not attend to as a whole is refused, in training before its first step.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func textsBeyondTheContextAreRefused() throws {
    let loaded = try LoadedModel(plan(attacks: "[unigram]").model.checkpoint, in: Self.store, compute: Compute(threads: 2))
    let room = loaded.model.configuration.contextLength
    try loaded.requireRoom(for: room)
    let fault = #expect(throws: Fault.self) { try loaded.requireRoom(for: room + 1) }
    #expect(fault?.description.contains("\(room + 1) tokens") == true && fault?.description.contains("dataset.max_tokens") == true)

    let known = KnownNames(
      checkpoints: ["smollm2-135m-instruct"], datasets: [:], defenses: ["none": KnownMethod()], attacks: [:], metrics: [])
    let text = """
      train: long
      model: {checkpoint: smollm2-135m-instruct, partition: {input: 1, output: 1}}
      task: {name: coqa, path: data}
      steps: 1
      """
    let scratch = try Scratch()
    try text.write(toFile: scratch.file("plan.yaml"), atomically: true, encoding: .utf8)
    let cell = try #require(
      try TrainingPlan(contentsOf: scratch.file("plan.yaml"), known: known, tasks: ["coqa"]).cells(tasks: ["coqa"]).first)
    func runner(prompt tokens: Int) throws -> TrainingRunner {
      let example = GenerationExample(id: "long", prompt: "", references: [" yes"])
      let item = TaskData.Item(content: .text(example, answer: [1]), prompt: [Int32](repeating: 5, count: tokens))
      let data = TaskData(train: [item], validation: [], metrics: ["f1"], tokenizer: loaded.tokenizer, longestAnswer: 1)
      return try TrainingRunner(cell, loaded: loaded, data: data)
    }
    let long = #expect(throws: Fault.self) { try runner(prompt: room) }
    #expect(long?.description.contains("task.max_prompt_tokens") == true)
    _ = try runner(prompt: 16)
  }

  /// Training that was stopped goes on where it was, and only there: with another learning rate or other texts the file is another run's.
  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func checkpointsOfOtherRunsAreRefused() throws {
    let loaded = try LoadedModel(plan(attacks: "[unigram]").model.checkpoint, in: Self.store, compute: Compute(threads: 2))
    let known = KnownNames(
      checkpoints: ["smollm2-135m-instruct"], datasets: [:], defenses: ["none": KnownMethod()], attacks: [:], metrics: [])
    let scratch = try Scratch()
    func runner(rate: String, answer: Int32) throws -> (TrainingRunner, String) {
      let text = """
        train: resumed
        model: {checkpoint: smollm2-135m-instruct, partition: {input: 1, output: 1}}
        task: {name: coqa, path: data}
        optimizer: {learning_rate: \(rate)}
        steps: 3
        batch: 1
        save_every: 1
        """
      try text.write(toFile: scratch.file("plan.yaml"), atomically: true, encoding: .utf8)
      let cell = try #require(
        try TrainingPlan(contentsOf: scratch.file("plan.yaml"), known: known, tasks: ["coqa"]).cells(tasks: ["coqa"]).first)
      let example = GenerationExample(id: "short", prompt: "", references: [" yes"])
      let item = TaskData.Item(content: .text(example, answer: [answer]), prompt: [5, 6, 7])
      let data = TaskData(train: [item], validation: [item], metrics: ["f1"], tokenizer: loaded.tokenizer, longestAnswer: 1)
      return (try TrainingRunner(cell, loaded: loaded, data: data), cell.id)
    }
    let path = scratch.file("checkpoint.safetensors")
    let (first, id) = try runner(rate: "0.001", answer: 1)
    #expect(throws: Fault(.interrupted, "stop")) {
      try first.run(id: id, checkpoint: path) { _, step, _ in if step == 2 { throw Fault(.interrupted, "stop") } }
    }
    for (rate, answer) in [("0.002", Int32(1)), ("0.001", 2)] {
      let fault = #expect(throws: Fault.self) { try runner(rate: rate, answer: answer).0.run(id: id, checkpoint: path) { _, _, _ in } }
      #expect(fault?.message.contains("another run") == true)
    }
    #expect(try runner(rate: "0.001", answer: 1).0.run(id: id, checkpoint: path) { _, _, _ in }.losses.count == 3)
  }

  @Test(.enabled(if: isThere, "fedsea-audit fetch …")) func dumpsThatDoNotFitAreRefused() throws {
    let plan = try plan(attacks: "[nearest-embedding]")
    let loaded = try LoadedModel(plan.model.checkpoint, in: Self.store, compute: Compute(threads: 2))
    let width = 576
    let good = AdversaryView(
      identity: ViewIdentity(
        runID: "r", planSHA256: "", checkpointSHA256: loaded.description.sha256, tokenizerSHA256: loaded.description.tokenizerSHA256,
        created: "",
        fedseaVersion: ""), partition: PartitionPoints(input: 1, output: 1), offsets: [0, 3],
      observations: [
        .inputHiddenStates: Observation(
          values: Matrix(rows: 3, columns: width, values: (0..<3 * width).map { Float($0 % 7) / 3 }),
          noise: NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 0.5))
      ])
    try DumpCheck.check(good, plan: plan, loaded: loaded, path: "view.h5")
    func refusal(_ change: (inout AdversaryView) -> Void) -> Fault? {
      var view = good
      change(&view)
      do {
        try DumpCheck.check(view, plan: plan, loaded: loaded, path: "view.h5")
        return nil
      } catch { return error as? Fault }
    }
    let cases: [(String, (inout AdversaryView) -> Void)] = [
      ("recorded from checkpoint", { $0.identity.checkpointSHA256 = String(repeating: "0", count: 64) }),
      ("recorded with tokenizer", { $0.identity.tokenizerSHA256 = String(repeating: "0", count: 64) }),
      ("the view was cut at p = 3, q = 1, the plan has p = 1, q = 1", { $0.partition.input = 3 }),
      ("blocks", { $0.partition.input = 31 }),
      ("is 4 wide, the model 576", { $0.observations[.inputHiddenStates]?.values = Matrix(rows: 3, columns: 4) }),
      ("needs the channel input_cut/hidden_states", { $0.observations = [:] }),
      ("states noise of σ = 50", { $0.observations[.inputHiddenStates]?.noise.sigma = 50 }),
      ("states noise of σ = 2", { $0.observations[.inputHiddenStates]?.noise.sigma = 2 }),
    ]
    for (message, change) in cases {
      let fault = refusal(change)
      #expect(fault?.code == .invalidData && fault?.message.contains(message) == true, "\(message): \(fault?.description ?? "accepted")")
      #expect(fault?.location == "view.h5")
    }
    // A view may hold what the plan's adversary does not see.
    var rich = good
    for channel in [Channel.outputHiddenStates, .outputGradients] { rich.observations[channel] = good.observations[.inputHiddenStates] }
    let greedy = try self.plan(attacks: "[label-matching]")
    let fault = #expect(throws: Fault.self) { try DumpCheck.check(rich, plan: greedy, loaded: loaded, path: "view.h5") }
    #expect(fault?.message.contains("gradients/output_cut, which the plan's threat model does not grant") == true)
  }

  /// Finished cells are of the code that computed them, not of what was written beside it since.
  @Test func aRunIsOfItsCode() throws {
    let scratch = try Scratch()
    let root = URL(filePath: scratch.path)
    func git(_ arguments: String...) throws {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = ["git", "-C", scratch.path, "-c", "user.name=test", "-c", "user.email=test@localhost"] + arguments
      (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
      try process.run()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0, "\(arguments)")
    }
    func write(_ text: String, _ name: String) throws { try text.write(toFile: scratch.file(name), atomically: true, encoding: .utf8) }
    #expect(Provenance.code(root: root) == "unknown")
    try FileManager.default.createDirectory(atPath: scratch.file("Sources"), withIntermediateDirectories: true)
    try write("let a = 1", "Sources/a.swift")
    try git("init")
    try git("add", ".")
    try git("commit", "-m", "code")
    let code = Provenance.code(root: root)
    #expect(code.count == 40 && code == Provenance.commit(root: root))
    try write("words", "README.md")
    try git("add", ".")
    try git("commit", "-m", "words")
    #expect(Provenance.code(root: root) == code && Provenance.commit(root: root) != code)
    try write("let b = 1", "Sources/b.swift")
    #expect(Provenance.code(root: root) == code + "+")
    try git("add", ".")
    try git("commit", "-m", "more code")
    #expect(Provenance.code(root: root) == Provenance.commit(root: root))
  }
}
