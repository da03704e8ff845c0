import Attacks
import Audit
import AuditRunner
import Diagnostics
import Foundation
import Kernels
import LeakageMetrics
import Llama
import PrivateText
import SplitLearning
import TestSupport
import Testing
import Tokenizers

@Suite struct ControlTests {
  private func setting(_ scene: TinyScene, _ p: Int) -> SplitExchange.Setting {
    SplitExchange.Setting(
      scene.model, PartitionPoints(input: p, output: 1), PreparedDefense(protector: Unprotected(), statement: .none, units: [:]),
      channels: [.inputHiddenStates])
  }

  /// Found at every cut; not found when nothing was planted.
  @Test func thePlantedLeakIsFoundIfItIsThere() throws {
    let scene = try TinyScene(documents: 10)
    for p in 0...2 {
      let control = try PlantedLeak.control(setting(scene, p), cell: "c", scene.means, scene.scoring)
      #expect(control.found && control.accuracy == 1, "p \(p): \(control.accuracy)")
    }
    let nothing = try PlantedLeak.control(setting(scene, 2), cell: "c", scene.means, scene.scoring, strength: 0)
    #expect(!nothing.found && nothing.partition == "p = 2, q = 1")
    let controls = Controls(plantedLeaks: [nothing])
    #expect(controls.problems.count == 1 && controls.problems[0].contains("was not found"))
  }

  /// A control that failed is a problem of the run, an attack that failed is not.
  @Test func aControlWithoutAResultIsAProblem() {
    let failures = ["shuffled-inverter", "unigram", "anchors"].map { AttackFailure(cell: "c", attack: $0, message: "no disk") }
    let controls = Controls(missing: StandingControls.missing(failures))
    #expect(controls.problems.count == 2 && controls.problems[0].contains("shuffled-inverter gave no result in c: no disk"))
    #expect(Controls().missing == nil && Controls().problems.isEmpty)
  }

  /// What goes wrong on the way is seen: rows that are filed one too late, documents in another order, a truth that is shifted by one token.
  @Test func thePlantedLeakTellsWhetherRowsBelongToTheirTokens() throws {
    let scene = try TinyScene()
    try PlantedLeak.inFolder { folder in
      let good = try PlantedLeak.planted(setting(scene, 1), scene.scoring, in: folder)
      #expect(try PlantedLeak.accuracy(good, scene.means, scene.scoring, in: folder) == 1)
      let states = try #require(good.observations[.inputHiddenStates]?.values)
      for order in [(0..<states.rows).map { ($0 + states.rows - 1) % states.rows }, (0..<states.rows).reversed()] {
        var bad = good
        bad.observations[.inputHiddenStates]?.values = scene.model.compute.gather(states, rows: order[...])
        #expect(try PlantedLeak.accuracy(bad, scene.means, scene.scoring, in: folder) < 0.2)
      }
      let shifted = scene.documents.map {
        PrivateDocument(id: $0.id, text: $0.text, tokens: Array($0.tokens.dropFirst() + $0.tokens.prefix(1)))
      }
      let wrong = Scoring(shifted, priors: nil, metrics: [TokenAccuracy()], tokenizer: scene.scoring.tokenizer, seed: 1)
      #expect(try PlantedLeak.accuracy(good, scene.means, wrong, in: folder) < 0.2)
    }
  }

  /// What attacks have for a prior is what bits are measured against: a distribution over text, in which control tokens next to never occur.
  @Test func bitsAreMeasuredAgainstTheAttacksPrior() throws {
    var scene = try TinyScene()
    let control = Int32(7)
    scene.means.excluded = [control]
    let document = PrivateDocument(id: "d", text: "", tokens: [3, 9, control, 4])
    let found = TruthPrior.logProbabilities([document], model: scene.model, scene.means)[0]
    let logits = scene.model.logits([document.tokens])
    for t in 1..<4 {
      let p = logits[row: t - 1].map { exp(Double($0)) }
      let other = p.enumerated().reduce(0) { $0 + ($1.offset == Int(control) ? 0 : $1.element) }
      let expected = log(p[Int(document.tokens[t])] / other) - (document.tokens[t] == control ? 30 : 0)
      #expect(abs(found[t] - expected) < 1e-3, "position \(t): \(found[t]), \(expected)")
    }
  }

  /// Long documents count for more: exp of the mean over predicted tokens, ln 2 at three and ln 16 at one of four.
  @Test func perplexityIsOverTokens() throws {
    let found = try #require(Comparison.perplexity([log(2), log(16), nil], lengths: [4, 2, 1], cell: "c", settings: [:], seed: 1).first)
    #expect(abs(found.mean - exp((3 * log(2) + log(16)) / 4)) < 1e-9 && found.n == 2)
  }

  /// What the server computes is held against attacks on the states of as many documents, whichever attack on the states reads most.
  @Test func serverTensorsAreComparedOnEqualSets() throws {
    func result(_ channel: Channel, _ attack: String, _ mean: Double, n: Int) -> CellResult {
      CellResult(
        cell: "c", settings: [:], channel: channel.rawValue, attack: attack, metric: "token_accuracy", mean: mean,
        ci95: [mean - 0.01, mean + 0.01],
        stderr: 0, n: n, higherLeaksMore: true, gainOverBaseline: mean, gainCI95: nil, seconds: 1)
    }
    let few = result(.inputHiddenStates, "on a few", 1, n: 34)
    let all = [result(.inputHiddenStates, "on all", 0.9, n: 100), result(.keys, "cache", 0.95, n: 100)]
    let check = try #require(ChannelFindings.checks([few] + all).first)
    #expect(check.attack == "cache" && check.stateAccuracy == 0.9 && !check.passed)
    #expect(ChannelFindings.checks([few, all[1]]).isEmpty)
  }

  /// A model may have more embeddings than its tokenizer has tokens, and an attack may list one of these.
  @Test func paddingTokensAreCandidates() throws {
    let scene = try TinyScene(documents: 1)
    let size = scene.scoring.tokenizer.vocabularySize
    let tokens = scene.documents[0].tokens
    let posterior = TokenPosterior(
      width: 2, ids: tokens.flatMap { [$0, Int32(size)] }, logProbabilities: tokens.flatMap { _ in [log(Float(0.5)), log(0.25)] },
      restLogProbability: tokens.map { _ in log(Float(0.25)) })
    let found = Reconstruction(tokens: [tokens], posterior: posterior)
    #expect(throws: Fault.self) { try scene.scoring.paired(found) }
    let wide = Scoring(
      scene.documents, priors: nil, metrics: [TokenAccuracy()], tokenizer: scene.scoring.tokenizer, seed: 1, vocabularySize: size + 3)
    #expect(try wide.paired(found)[0].truthLogProbability?.allSatisfy { abs($0 - log(0.5)) < 1e-6 } == true)
  }

  /// An attack that reads some documents finds in them what it finds when it reads all, is scored on them, and gains over the baseline on them.
  @Test func someDocumentsAreReadAlone() throws {
    let scene = try TinyScene(documents: 6)
    let (whole, chosen) = (scene.view(1, sigma: 0.3), [4, 1])
    let attack = try NearestEmbedding(["centered": .number(0)])
    let all = try attack.reconstruct(whole, with: scene.means) { _ in }
    let some = try attack.reconstruct(whole.restricted(to: chosen), with: scene.means) { _ in }
    #expect(some.tokens == chosen.map { all.tokens[$0] })
    let scored = try scene.scoring.paired(some, of: chosen)
    #expect(scored.map(\.truthTokens) == chosen.map { scene.documents[$0].tokens })
    #expect(throws: Fault.self) { try scene.scoring.paired(some) }
    let baseline = try scene.scoring.paired(UnigramGuess([:]).reconstruct(whole, with: scene.means) { _ in })
    let entries = [
      Scoring.Scored(attack: "unigram", isBaseline: true, channel: nil, documents: baseline, seconds: 0),
      Scoring.Scored(attack: "own", isBaseline: false, channel: .inputHiddenStates, documents: scored, seconds: 0, chosen: chosen),
    ]
    let result = try #require(scene.scoring.results(entries, cell: "c", settings: [:]).first { $0.attack == "own" })
    #expect(result.n == 2 && result.gainOverBaseline != nil)
    #expect(scene.scoring.samples(entries[1], cell: "c").map(\.document) == chosen)
    var mixed = whole
    mixed.messages = [0, 2, 4, 6]
    #expect(throws: Fault.self) { try mixed.restricted(to: chosen) }
    mixed = whole
    mixed.observations[.attentionMaps] = Observation(values: Matrix(rows: 3, columns: 2))
    #expect(throws: Fault.self) { try mixed.restricted(to: chosen) }
  }

  @Test func shuffledLabelsMustStayAtChance() {
    let good = ShuffledControl(cell: "c", attack: "shuffled-inverter", accuracy: 0.05, chance: 0.06)
    let bad = ShuffledControl(cell: "c", attack: "shuffled-inverter", accuracy: 0.07, chance: 0.06)
    #expect(good.passed && !bad.passed)
    #expect(Controls(shuffled: [good]).problems.isEmpty)
    #expect(Controls(shuffled: [good, bad]).problems.count == 1)
  }

  /// The residual of the true tokens is the noise, whatever is stated.
  @Test func statementsOfNoiseAreChecked() throws {
    let scene = try TinyScene()
    let truth = scene.documents.map(\.tokens)
    func check(_ sigma: Double, _ stated: Double, tokens: [[Int32]]? = nil) throws -> ResidualCheck {
      try #require(ResidualCheck(scene.view(1, sigma: sigma, stated: stated), tokens: tokens ?? truth, scene.means))
    }
    let honest = try check(0.5, 0.5)
    #expect(abs(honest.residual - 0.5) < 0.15 && honest.warning == nil)
    try honest.refuseOverstatedNoise(at: "view.h5")
    let tooSmall = try check(0.5, 0.01)
    #expect(tooSmall.warning?.contains("another unit") == true)
    try tooSmall.refuseOverstatedNoise(at: "view.h5")
    let tooLarge = try check(0.5, 20)
    let fault = #expect(throws: Fault.self) { try tooLarge.refuseOverstatedNoise(at: "view.h5") }
    #expect(fault?.code == .invalidData && fault?.location == "view.h5")
    // Wrong guesses never lead to a refusal of an honest statement.
    try check(0.5, 0.5, tokens: truth.map { $0.map { ($0 + 7) % 50 } }).refuseOverstatedNoise(at: "view.h5")
    #expect(try check(0, 0).warning == nil)
    var withheld = scene.view(1, sigma: 1)
    withheld.observations[.inputHiddenStates]?.noise.sigma = nil
    #expect(ResidualCheck(withheld, tokens: truth, scene.means) == nil)
  }
}
