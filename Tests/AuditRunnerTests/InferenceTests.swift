import Attacks
import Audit
import AuditRunner
import Checkpoints
import Defenses
import Diagnostics
import Foundation
import Kernels
import LeakageMetrics
import Llama
import PrivateText
import SplitLearning
import TestSupport
import Testing

/// Inference attacks whose right answer is known in advance, on tiny random models, and the scoring of their answers.
@Suite(.serialized) struct InferenceTests {
  private let identity = ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: "")

  private func result(_ test: String = "t", _ question: InferenceQuestion = .membership) -> InferenceResult {
    InferenceResult(cell: "c", settings: [:], test: test, question: question, channel: "x", n: 0, seconds: 0)
  }

  private func scored(
    _ answer: InferenceAnswer, _ truth: InferenceTruth, groups: [Int]? = nil, delta: Double? = nil
  ) throws -> InferenceResult {
    var out = result("t", answer.question)
    try InferenceScoring(seed: 1).score(answer, against: truth, groups: groups, delta: delta, into: &out)
    #expect(out.problem == nil, "\(out.problem ?? "")")
    return out
  }

  private func infer(_ name: String, _ settings: [String: SettingValue] = [:], _ view: AdversaryView, _ means: InferenceMeans) throws
    -> [InferenceAnswer]
  {
    try InferenceCatalog.make(name, settings: settings).infer(view, with: means) { _ in }
  }

  // MARK: - Scoring

  @Test func scoresAreRanksAndDecisions() throws {
    let flags = (0..<200).map { $0 % 2 == 0 }
    let perfect = try scored(InferenceAnswer(.membership, .scores(flags.map { $0 ? 1 : 0 }, threshold: 0.5)), .flags(flags), delta: 1e-5)
    #expect(perfect.auc == 1 && perfect.accuracy == 1 && perfect.majorityBaseline == 0.5 && perfect.bits == 1)
    #expect(perfect.atOnePercent?.rate == 1 && perfect.atOnePercent?.isResolved == true && perfect.atOnePerMille?.isResolved == false)
    #expect((perfect.aucCI95?[0] ?? 0) > 0.9 && (perfect.epsilonLower ?? 0) > 2 && perfect.positives == 100)
    let constant = try scored(InferenceAnswer(.membership, .scores(flags.map { _ in 3 }, threshold: 0)), .flags(flags), delta: 1e-5)
    #expect(constant.auc == 0.5 && constant.bits == 0 && constant.epsilonLower == 0 && constant.accuracy == 0.5)
    // Three of four values right: I = H(1/2) + H(1/2) − H(joint), by hand.
    let some = try scored(
      InferenceAnswer(.attribute, .scores([1, 1, 1, 0], threshold: 0.5)), .flags([true, true, false, false]))
    #expect(abs((some.bits ?? 0) - 0.311_278_124) < 1e-6 && some.accuracy == 0.75)
    // Half are yes: always right is 0.5 above one answer for all, give or take how many of a sample are yes; always yes is not above always no.
    let (gain, none) = (try #require(perfect.gainCI95), try #require(constant.gainCI95))
    #expect(gain[0] > 0.4 && gain[0] < 0.5 && gain[1] > 0.5 && gain[1] < 0.6 && none[0] < 0 && none[1] > 0, "\(gain), \(none)")
    // A bootstrap interval that holds the area and is wider for few groups than for many units.
    let random = CounterRandom(seed: 3, stream: "scores")
    let noisy = flags.indices.map { random.normals(item: UInt64($0), count: 1)[0] + (flags[$0] ? 1 : 0) }
    let alone = try scored(InferenceAnswer(.membership, .scores(noisy, threshold: nil)), .flags(flags))
    let grouped = try scored(
      InferenceAnswer(.membership, .scores(noisy, threshold: nil)), .flags(flags), groups: flags.indices.map { $0 / 50 })
    let (auc, ci) = (try #require(alone.auc), try #require(alone.aucCI95))
    #expect(ci[0] < auc && auc < ci[1] && ci[1] - ci[0] < 0.2 && alone.accuracy == nil && grouped.auc == auc)
  }

  @Test func answersThatDoNotFitAreFaults() throws {
    #expect(throws: Fault.self) { try scored(InferenceAnswer(.membership, .scores([1], threshold: nil)), .flags([true, false])) }
    #expect(throws: Fault.self) { try scored(InferenceAnswer(.membership, .scores([.nan, 1], threshold: nil)), .flags([true, false])) }
    #expect(throws: Fault.self) { try scored(InferenceAnswer(.promptLength, .scores([1], threshold: nil)), .numbers([1])) }
    #expect(throws: Fault.self) { try scored(InferenceAnswer(.promptLength, .classes([])), .numbers([])) }
    for rows in [[[0.5, 0.5], [1.0]], [[0.5, .nan], [1, 0]], [[0.5, 0.5], [2, 0]]] {
      #expect(throws: Fault.self) { try scored(InferenceAnswer(.template, .posteriors(rows, prior: [0.5, 0.5])), .numbers([0, 1])) }
    }
    #expect(throws: Fault.self) { try scored(InferenceAnswer(.template, .posteriors([[1]], prior: [1])), .flags([true])) }
  }

  /// log2 of how much likelier the truth became, by hand; a class that is not known adds nothing, and a wrong belief is not a negative amount.
  @Test func posteriorsAreWorthWhatTheySayOfTheTruth() throws {
    let prior = [0.25, 0.25, 0.5]
    let rows = [[0.5, 0.25, 0.25], [0.25, 0.25, 0.5], [0, 1, 0], [0.2, 0.2, 0.6]]
    let right = try scored(InferenceAnswer(.template, .posteriors(rows, prior: prior)), .numbers([0, 2, 1, -1]))
    #expect(right.bits == 0.75 && right.accuracy == 0.75 && right.n == 4 && right.majorityBaseline == 0.25 && right.auc == nil)
    let wrong = try scored(InferenceAnswer(.template, .posteriors(rows, prior: prior)), .numbers([2, 0, 0, 0]))
    #expect(wrong.bits == 0 && wrong.accuracy == 0)
  }

  // MARK: - Distinguishing game

  private func challenge(
    _ scene: TinyScene, sigma: Double, actual: Double? = nil, clip: Double? = nil, trials: Int = 4_000,
    _ difference: ChallengeSettings.Difference = .document
  ) throws -> DistinguishingChallenge {
    let stated = NoiseStatement(defense: "gaussian", law: .gaussian, sigma: sigma, clip: clip)
    let real = NoiseStatement(defense: "gaussian", law: .gaussian, sigma: actual ?? sigma, clip: clip)
    let defense = PreparedDefense(protector: Drawn(real), statement: stated, units: [:])
    return try DistinguishingChallenge(
      ChallengeSettings(trials: trials, tokens: 6, difference: difference), publicText: scene.means.auxiliary, victim: scene.means,
      points: PartitionPoints(input: 2, output: 0), defense: defense, identity: identity, seed: 1)
  }

  /// A client that adds the noise of `statement`.
  private struct Drawn: StateProtector {
    let statement: NoiseStatement
    init(_ statement: NoiseStatement) { self.statement = statement }
    func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix {
      statement.observed(
        states, sequences: sequences, positions: positions, random: CounterRandom(seed: 4, stream: "client"), Compute(threads: 1))
    }
  }

  private func played(_ challenge: DistinguishingChallenge, _ scene: TinyScene) throws -> InferenceResult {
    let means = InferenceMeans(attacker: scene.means, publicModel: scene.model, candidates: challenge.candidates)
    let answers = try infer("distinguishing-game", ["tokens": .number(6)], challenge.view, means)
    var out = try scored(answers[0], .flags(challenge.sentSecond), delta: challenge.delta)
    out.epsilonClaimed = challenge.claimedEpsilon
    return out
  }

  /// Known-answer test 3: AUC Φ(μ/√2) and TPR 1 − Φ(z − μ) over all released rows, and no ε above the mechanism's own.
  @Test(arguments: [0.5, 1.5, 3]) func theGameHasItsClosedForm(mu: Double) throws {
    let scene = try TinyScene()
    let unit = try #require(challenge(scene, sigma: 1, trials: 10).mu)
    let game = try challenge(scene, sigma: unit / mu)
    #expect(abs((game.mu ?? 0) - mu) < 1e-9)
    let form = try #require(game.closedForm)
    let found = try played(game, scene)
    let auc = try #require(found.auc)
    // Hanley and McNeil's deviation of an AUC with 2,000 a side is below √(AUC(1 − AUC)/2000).
    #expect(abs(auc - form.auc) < 4 * (form.auc * (1 - form.auc) / 2_000).squareRoot(), "measured \(auc), theory \(form.auc)")
    let rate = try #require(found.atOnePercent?.rate)
    #expect(abs(rate - form.truePositiveRate) < 0.08, "measured \(rate), theory \(form.truePositiveRate)")
    let accuracy = 0.5 * (1 + erf(mu / 2 / 2.0.squareRoot()))
    #expect(abs((found.accuracy ?? 0) - accuracy) < 4 * (accuracy * (1 - accuracy) / 4_000).squareRoot())
  }

  /// One token differs: at the first place every later state does too, at the last one state does.
  @Test func whatDiffersDecidesTheClaim() throws {
    let scene = try TinyScene()
    let first = try challenge(scene, sigma: 1, clip: 1, trials: 10, .firstToken)
    let last = try challenge(scene, sigma: 1, clip: 1, trials: 10, .lastToken)
    let (a, b) = (try #require(first.claimedEpsilon), try #require(last.claimedEpsilon))
    #expect(a > 2 * b && (first.mu ?? 0) > (last.mu ?? 0) && (last.mu ?? 9) <= 2)
    #expect(zip(first.candidates.first, first.candidates.second).count { $0 != $1 } == 1)
    #expect(last.candidates.first.last != last.candidates.second.last && first.candidates.first[0] != first.candidates.second[0])
    #expect(try challenge(scene, sigma: 1, trials: 10).claimedEpsilon == nil)
  }

  /// An honest mechanism is never refuted; one that adds a fiftieth of the noise that it states is.
  @Test func brokenGuaranteesAreRefuted() throws {
    let scene = try TinyScene()
    let honest = try played(challenge(scene, sigma: 10, clip: 1), scene)
    #expect(honest.epsilonClaimed != nil && !honest.refutesClaim)
    let broken = try played(challenge(scene, sigma: 10, actual: 0.2, clip: 1), scene)
    #expect(broken.refutesClaim, "lower \(broken.epsilonLower ?? 0), claimed \(broken.epsilonClaimed ?? 0)")
  }

  @Test func shortPublicTextIsAFault() throws {
    var scene = try TinyScene()
    scene.means.auxiliary = [[1, 2, 3]]
    #expect(throws: Fault.self) { try challenge(scene, sigma: 1) }
  }

  // MARK: - Membership

  /// A victim fine-tuned on the even documents, or one that is the public model.
  private struct Victims {
    let scene: TinyScene
    let victim: LlamaModel
    let flags: [Bool]
    let view: AdversaryView
    let means: InferenceMeans

    init(steps: Int, channels: [Channel] = [.inputHiddenStates, .outputHiddenStates], shadow: Bool = false) throws {
      var scene = try TinyScene(documents: 24, length: 14)
      // The language model must not decide what is read from clean states.
      scene.means.knowledge = .k2
      flags = scene.documents.indices.map { $0 % 2 == 0 }
      let plan = VictimPlan(steps: max(1, steps), batch: 4, rank: 8, learningRate: 5e-3)
      let texts = scene.documents.indices.filter { $0 % 2 == 0 }.map { scene.documents[$0].tokens }
      victim = steps == 0 ? scene.model : scene.model.replacing(try Victim.fineTuned(scene.model, texts, plan, seed: 11) { _ in }.adapted)
      var setting = SplitExchange.Setting(
        victim, PartitionPoints(input: 1, output: 1), PreparedDefense(protector: Unprotected(), statement: .none, units: [:]),
        channels: channels)
      setting.capture.places = [.first, .last]
      view = try SplitExchange.view(
        scene.documents, setting,
        identity: ViewIdentity(
          runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: "")
      ).view
      let publicModel = scene.model
      scene.means.model = victim
      // As a shadow the victim itself: the attack on its own training set.
      if shadow { scene.means.auxiliary = scene.documents.map(\.tokens) }
      means = InferenceMeans(
        attacker: scene.means, publicModel: publicModel, shadow: shadow ? ShadowModel(model: victim, isMember: flags) : nil)
      self.scene = scene
    }
  }

  private func auc(_ name: String, _ settings: [String: SettingValue] = [:], _ victims: Victims) throws -> Double {
    let answers = try infer(name, settings, victims.view, victims.means)
    return try #require(try scored(answers[0], .flags(victims.flags), delta: 1e-5).auc)
  }

  /// With the public model nothing tells members: the calibrated score is 0 for all. With an overfitted one nearly everything does.
  @Test func membershipByLoss() throws {
    let untouched = try Victims(steps: 0)
    #expect(try auc("membership-loss", ["source": .string("weights")], untouched) == 0.5)
    let observed = try infer("membership-loss", [:], untouched.view, untouched.means)
    guard case .scores(let scores, _) = observed[0].values else { return }
    #expect(scores.allSatisfy { abs($0) < 1e-3 }, "\(scores)")
    #expect(try auc("membership-rmia", [:], untouched) == 0.5)
    let overfitted = try Victims(steps: 150)
    for (name, settings) in [
      ("membership-loss", [:]), ("membership-loss", ["source": .string("weights")]), ("membership-loss", ["calibration": .string("none")]),
      ("membership-rmia", [:]), ("membership-rmia", ["gamma": .number(1.5), "population": .number(5)]),
    ] as [(String, [String: SettingValue])] {
      let found = try auc(name, settings, overfitted)
      #expect(found > 0.8, "\(name) \(settings): \(found)")
    }
    // K1: the attacker's copy is the public model; the server's own h_B betrays the victim's.
    var victims = overfitted.means
    victims.attacker.model = overfitted.means.publicModel
    victims.attacker.knowledge = .k1
    #expect(throws: Fault.self) { try infer("membership-rmia", [:], overfitted.view, victims) }
    #expect(throws: Fault.self) { try infer("membership-loss", ["source": .string("weights")], overfitted.view, victims) }
    #expect(try infer("membership-loss", [:], overfitted.view, victims).count == 1)
  }

  /// On the shadow's own training set, recorded maps and the attacker's own give the same features, and the classifier knows its examples.
  @Test func membershipByAttention() throws {
    let victims = try Victims(steps: 150, channels: [.inputHiddenStates, .attentionMaps], shadow: true)
    #expect(try auc("membership-attention", ["penalty": .number(0)], victims) > 0.9)
    var without = victims.means
    without.shadow = nil
    #expect(throws: Fault.self) { try infer("membership-attention", [:], victims.view, without) }
    // The client's noise is rehearsed whether or not the noisy states themselves are recorded.
    var noisy = victims.view
    noisy.inputNoise = NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 0.5)
    noisy.observations[.inputHiddenStates]?.noise = noisy.inputNoise
    var alone = noisy
    alone.observations[.inputHiddenStates] = nil
    func scores(_ view: AdversaryView) throws -> [Double] {
      guard case .scores(let scores, _) = try infer("membership-attention", [:], view, victims.means)[0].values else { return [] }
      return scores
    }
    #expect(try scores(noisy) == scores(alone))
    #expect(try scores(noisy) != scores(victims.view))
  }

  // MARK: - Attribute

  /// Two kinds of text from two dozens of words: told apart on clean states, not under huge noise; shuffled labels are at chance.
  @Test func attributesOfPooledStates() throws {
    var scene = try TinyScene(documents: 120, length: 10)
    var generator = CounterRandom(seed: 6, stream: "kinds").generator()
    func text(_ kind: Int) -> [Int32] { (0..<10).map { _ in Int32.random(in: 0..<12, using: &generator) + Int32(192 * kind) } }
    let kinds = (0..<120).map { $0 % 2 }
    scene.means.auxiliary = kinds.map(text)
    let documents = kinds.enumerated().map { PrivateDocument(id: "\($0)", text: "", tokens: text($1)) }
    let means = InferenceMeans(attacker: scene.means, publicModel: scene.model, attributes: kinds)
    func results(_ sigma: Double) throws -> [InferenceResult] {
      let noise = NoiseStatement(defense: "gaussian", law: sigma > 0 ? .gaussian : .none, sigma: sigma)
      let view = try SplitExchange.view(
        documents,
        SplitExchange.Setting(
          scene.model, PartitionPoints(input: 1, output: 1), PreparedDefense(protector: Drawn(noise), statement: noise, units: [:]),
          channels: [.inputHiddenStates]), identity: identity
      ).view
      return try infer("attribute", [:], view, means).map { try scored($0, .flags(kinds.map { $0 == 1 })) }
    }
    let clean = try results(0)
    #expect((clean[0].auc ?? 0) > 0.95 && (clean[0].accuracy ?? 0) > 0.85, "\(clean[0])")
    let shuffled = try results(0)[1]
    #expect(abs((shuffled.auc ?? 0) - 0.5) < 0.25, "\(shuffled)")
    let drowned = try results(1e3)
    #expect(abs((drowned[0].auc ?? 0) - 0.5) < 4 * (1.0 / 12 / 60 * 2).squareRoot(), "\(drowned[0])")
    var none = means
    none.attributes = nil
    #expect(throws: Fault.self) { try infer("attribute", [:], scene.view(1), none) }
  }

  // MARK: - Metadata

  @Test func lengthsAreReadExactly() throws {
    let scene = try TinyScene(documents: 8)
    let means = InferenceMeans(attacker: scene.means, publicModel: scene.model)
    var view = scene.view(0)
    let whole = try infer("metadata-length", [:], view, means)
    #expect(whole.map(\.question) == [.promptLength])
    view.promptLengths = (0..<8).map { view.range(of: $0).count - $0 % 4 }
    let answers = try infer("metadata-length", [:], view, means)
    let prompts = try scored(answers[0], .numbers(view.promptLengths))
    let steps = try scored(answers[1], .numbers((0..<8).map { $0 % 4 }))
    #expect(prompts.accuracy == 1 && steps.accuracy == 1 && steps.bits == 2 && steps.majorityBaseline == 0.25 && steps.auc == nil)
    // Answers of 0, 1, 2, 3 steps twice; yes or no are those of at most one step.
    let bare = try infer("metadata-answer", ["most_steps": .number(1)], view, means)
    let found = try scored(bare[0], .flags((0..<8).map { $0 % 4 <= 1 }))
    #expect(found.accuracy == 1 && found.auc == 1)
    #expect(throws: Fault.self) { try infer("metadata-answer", [:], scene.view(0), means) }
  }

  /// Four templates of 4, 8, 12 and 12 tokens, give or take one: two are told by their length, two are one, and all is worth 1.5 bits.
  @Test func templatesAreToldByTheirLengths() throws {
    let scene = try TinyScene(documents: 8)
    var generator = CounterRandom(seed: 2, stream: "templates").generator()
    func length(_ template: Int) -> Int { [4, 8, 12, 12][template] + Int.random(in: -1...1, using: &generator) }
    var means = InferenceMeans(attacker: scene.means, publicModel: scene.model, attributes: (0..<400).map { $0 % 4 })
    means.attacker.auxiliary = means.attributes!.map { [Int32](repeating: 1, count: length($0)) }
    let truth = (0..<300).map { $0 % 4 }
    var view = scene.view(0)
    view.promptLengths = truth.map(length)
    let answers = try infer("metadata-template", [:], view, means)
    let (found, control) = (try scored(answers[0], .numbers(truth)), try scored(answers[1], .numbers(truth)))
    #expect(abs((found.accuracy ?? 0) - 0.75) < 0.08 && abs((found.bits ?? 0) - 1.5) < 0.1, "\(found)")
    #expect((control.accuracy ?? 1) < 0.4 && (control.bits ?? 1) < 0.05 && answers[1].isControl, "\(control)")
    // A length that no public prompt comes near leaves what was believed before.
    view.promptLengths = [100_000]
    guard case .posteriors(let rows, let prior) = try infer("metadata-template", [:], view, means)[0].values else { throw Missing() }
    #expect(rows == [prior])
    means.attributes = nil
    #expect(throws: Fault.self) { try infer("metadata-template", [:], view, means) }
  }

  private struct Missing: Error {}

  /// The last row of a document predicts nothing and has no gradient; noise on the gradient hides which rows those are.
  @Test func rowsWithoutAGradientAreFound() throws {
    let scene = try TinyScene(documents: 12)
    let means = InferenceMeans(attacker: scene.means, publicModel: scene.model)
    func found(_ protector: (any StateProtector)?) throws -> InferenceResult {
      var setting = SplitExchange.Setting(
        scene.model, PartitionPoints(input: 1, output: 1), PreparedDefense(protector: Unprotected(), statement: .none, units: [:]),
        channels: [.inputHiddenStates, .outputGradients])
      setting.gradientProtector = protector
      let view = try SplitExchange.view(scene.documents, setting, identity: identity).view
      let truth = scene.documents.flatMap { document in document.tokens.indices.map { $0 == document.tokens.count - 1 } }
      let groups = scene.documents.indices.flatMap { d in scene.documents[d].tokens.map { _ in d } }
      return try scored(infer("zero-row-decoy", [:], view, means)[0], .flags(truth), groups: groups)
    }
    let plain = try found(nil)
    #expect(plain.accuracy == 1 && plain.auc == 1 && plain.positives == 12)
    let noisy = try found(Drawn(NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 100)))
    #expect(noisy.accuracy == noisy.majorityBaseline && (noisy.auc ?? 1) < 0.8)
  }

  @Test func wrongSettingsAreFaults() {
    #expect(throws: Fault.self) { try InferenceCatalog.make("membership-los") }
    #expect(throws: Fault.self) { try InferenceCatalog.make("membership-loss", settings: ["sauce": .string("weights")]) }
    #expect(throws: Fault.self) { try InferenceCatalog.make("distinguishing-game", settings: ["trials": .number(1)]) }
  }
}
