import Audit
import AuditRunner
import Fetching
import Foundation
import TestSupport
import Testing

/// The plans that come with the project, under the catalogs as they are.
@Suite struct PlansTests {
  @Test func everyPlanInAttacksIsValid() throws {
    let root = URL(filePath: Fixture.root)
    let known = try Catalogs.names(in: ArtifactStore(root: root))
    let folder = root.appending(path: "attacks")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".yaml") && !$0.hasPrefix("training/")
    }
    #expect(files.count >= 12)
    for file in files {
      let plan = try AuditPlan(contentsOf: folder.appending(path: file).path, known: known)
      #expect(try !plan.cells().isEmpty, "\(file)")
      let warnings = try PlanReview.warnings(plan)
      #expect(warnings.isEmpty, "\(file): \(warnings)")
    }
  }

  private static func plan(_ channels: String, _ attacks: String, _ extra: String = "") throws -> AuditPlan {
    try AuditPlan(
      yaml: """
        plan: small
        model: {checkpoint: smollm2-135m-instruct, partition: {input: 1, output: 1}}
        threat_model: {auxiliary: state-of-the-union, channels: \(channels)}
        dataset: {name: canaries, limit: 2, min_tokens: 20, max_tokens: 40}
        attacks: \(attacks)
        \(extra)
        """, origin: "small.yaml", known: Catalogs.names(in: ArtifactStore(root: URL(filePath: Fixture.root))))
  }

  /// Attacks that learn from a cache have a control with shuffled labels of the same cache.
  @Test func learnersOfACacheAreControlled() throws {
    func control(_ channels: String, _ attacks: String) throws -> AttackPlan? {
      StandingControls.shuffled(try Self.plan(channels, attacks))
    }
    let cache = "[server/keys, server/values]"
    let last = try #require(try control(cache, "[{name: learned-inverter, source: cache, block: last, budget_seconds: 9}]"))
    #expect(last.name == "shuffled-inverter" && last.settings["block"]?.label == "last" && last.settings["budget_seconds"]?.number == 9)
    let both = try control(
      "[input_cut/hidden_states, server/keys, server/values]",
      "[{name: learned-inverter, source: cache}, {name: learned-inverter, steps: 7}]")
    #expect(both?.settings["source"] == nil && both?.settings["steps"]?.number == 7)
    #expect(try control(cache, "[cache-collision]") == nil && control(cache, "[learned-inverter]") == nil)
  }

  /// An attack on keys and values counts for both, one on keys alone says nothing of the values.
  @Test func valuesAreJudgedByWhatReadsThem() throws {
    let plan = try Self.plan("[server/keys, server/values]", "[unigram, cache-collision, {name: cache-inversion, tensors: keys}]")
    let results = zip(plan.attacks.map(\.label).filter { $0 != "unigram" }, [0.6, 0.9]).map { label, mean in
      CellResult(
        cell: "c", settings: [:], channel: Channel.keys.rawValue, attack: label, metric: "token_accuracy", mean: mean,
        ci95: [mean - 0.01, mean + 0.01], stderr: 0, n: 2, higherLeaksMore: true, gainOverBaseline: mean, gainCI95: nil, seconds: 1)
    }
    let found = ChannelFindings.of(plan, results, [], inference: [])
    func best(_ channel: Channel) -> Double? { found.first { $0.channel == channel.rawValue }?.mean }
    #expect(best(.keys) == 0.9 && best(.values) == 0.6, "\(found)")
  }

  /// What a plan cannot find out is told before it runs: attacks that see nothing, and channels that nobody looks at.
  @Test func aPlanIsReviewedBeforeItRuns() throws {
    func warnings(_ channels: String, _ attacks: String, _ extra: String = "") throws -> [String] {
      try PlanReview.warnings(Self.plan(channels, attacks, extra))
    }
    #expect(try warnings("[input_cut/hidden_states]", "[uniform, anchors]").isEmpty)
    let odd = try warnings("[input_cut/hidden_states, gradients/output_cut]", "[uniform, label-matching]", "seeds: [1, 2]")
    #expect(odd.count == 2 && odd[0].hasPrefix("label-matching will give no result: it reads output_cut/hidden_states"))
    #expect(odd[1] == "input_cut/hidden_states is granted, and no attack of the plan reads it")
    // An attack that the plan gives no occasion to.
    let idle = try warnings("[input_cut/hidden_states]", "[averaging]", "inference: [metadata-answer]")
    #expect(
      idle == [
        "averaging has nothing to do: every text is sent once (dataset.repeats)",
        "metadata-answer has nothing to do: the model does not answer (dataset.responses)",
      ])
    // What an attack reads depends on its settings.
    let queries = "[server/queries, server/keys, server/values]"
    #expect(try warnings(queries, "[cache-collision]") == ["server/queries is granted, and no attack of the plan reads it"])
    #expect(try warnings(queries, "[{name: cache-inversion, tensors: queries-keys-and-values}]").isEmpty)
    let game = try warnings("[server/keys, server/values]", "[cache-collision]", "inference: [distinguishing-game]")
    #expect(game.count == 1 && game[0].hasPrefix("distinguishing-game will give no result: it reads input_cut/hidden_states"))
    // Inference looks too, and an external program may read anything.
    #expect(try warnings("[gradients/output_cut]", "[unigram]", "inference: [zero-row-decoy]").isEmpty)
    #expect(try warnings("[server/queries]", "[{name: external, command: [sh]}]").isEmpty)
  }

  /// Every attack of the full audit reads a channel that its threat model grants, and every attack that can be asked is in it.
  @Test func theFullAuditGrantsWhatItsAttacksReadAndAsksThemAll() throws {
    let root = URL(filePath: Fixture.root)
    let plan = try AuditPlan(
      contentsOf: root.appending(path: "attacks/full-audit.yaml").path, known: try Catalogs.names(in: ArtifactStore(root: root)))
    for attack in plan.attacks {
      let description = try #require(AttackRoster.descriptions.first { $0.name == attack.name })
      for channel in description.channels where channel != .lengths {
        #expect(plan.threatModel.channels.contains(channel), "\(attack.label) reads \(channel.rawValue)")
      }
    }
    // And no attack of the release is left out that has something to do in it.
    let left = Channel.allCases.map { AttacksLeftOut(of: $0, plan) }
    #expect(left.allSatisfy { $0.notAsked == nil }, "\(left.compactMap(\.notAsked))")
    #expect(
      left.compactMap(\.inapplicable).flatMap { $0 } == [
        "averaging: every text is sent once (dataset.repeats)", "membership-rmia: no document was fine-tuned on (dataset.members)",
        "membership-loss: no document was fine-tuned on (dataset.members)", "cache-injection: active, for a co-tenant alone",
        "membership-attention: no document was fine-tuned on (dataset.members)",
        "metadata-template: prompts are not made from known templates (dataset.name: presidio-templates)",
      ])
  }
}
