import Audit
import Diagnostics
import Testing

/// Plan keys of the full audit.
@Suite struct ChannelPlanTests {
  private func plan(_ lines: String, model: String = "{channels: [server/keys, server/attention_maps]}") throws -> AuditPlan {
    try AuditPlan(
      yaml: """
        plan: channels
        model: {checkpoint: smollm2-135m-instruct}
        threat_model: \(model)
        dataset: {name: state-of-the-union}
        attacks: [unigram]
        \(lines)
        """, origin: "p.yaml", known: known)
  }

  @Test func captureIsReadAndChecked() throws {
    let read = try plan("capture: {blocks: [first, last, 7], heads: [2, 0], batch: 3, client_blocks: 1}")
    let capture = try #require(read.capture)
    #expect(try capture.blocks(of: 1..<29) == [1, 7, 28])
    #expect(try capture.heads(of: 9) == [0, 2])
    #expect(try plan("capture: {blocks: [all]}").capture?.blocks(of: 3..<6) == [3, 4, 5])
    #expect(capture.batch == 3 && capture.clientBlocks == 1)
    #expect(throws: Fault.self) { try capture.blocks(of: 8..<29) }
    #expect(throws: Fault.self) { try capture.heads(of: 2) }
    #expect(throws: Fault.self) { try plan("capture: {blocks: [frist]}") }
    #expect(throws: Fault.self) { try plan("capture: {batch: 0}") }
    // The resolved plan decodes to the same plan.
    #expect(try AuditPlan(yaml: read.canonicalJSON, origin: "j", known: known).sha256 == read.sha256)
  }

  @Test func aRoleSeesOnlyWhatItCanSee() throws {
    _ = try plan("", model: "{role: co-tenant, channels: [server/keys, server/values]}")
    let fault = #expect(throws: Fault.self) { try plan("", model: "{role: co-tenant, channels: [server/keys, gradients/output_cut]}") }
    #expect(fault?.description.contains("gradients/output_cut") == true)
  }

  /// Who only observes does not decide what the model runs.
  @Test func anActiveAttackNeedsARoleThatActs() throws {
    var names = known
    names.attacks["cache-injection"] = KnownMethod(roles: [.coTenant])
    func plan(_ model: String, attacks: String) throws -> AuditPlan {
      try AuditPlan(
        yaml: """
          plan: active
          model: {checkpoint: smollm2-135m-instruct}
          threat_model: \(model)
          dataset: {name: state-of-the-union}
          \(attacks)
          """, origin: "p.yaml", known: names)
    }
    let able = "{role: co-tenant, channels: [server/keys, server/values]}"
    for attacks in ["attack: {name: cache-injection}", "attacks: [unigram, cache-injection]"] {
      #expect(try plan(able, attacks: attacks).attacks.last?.name == "cache-injection")
      for role in ["honest-but-curious-server", "colluding-client"] {
        let fault = #expect(throws: Fault.self) { try plan("{role: \(role), channels: [server/keys, server/values]}", attacks: attacks) }
        #expect(fault?.description.contains("active attack, which a \(role) does not carry out") == true)
        #expect(fault?.description.contains("co-tenant") == true)
      }
    }
  }

  /// A black box has no weights to run candidates through.
  @Test func anAdversaryWithoutWeightsRunsNone() throws {
    var names = known
    names.attacks["anchors"] = KnownMethod(isBlackBox: false)
    func plan(_ knowledge: String, _ attacks: String) throws -> AuditPlan {
      try AuditPlan(
        yaml: """
          plan: black-box
          model: {checkpoint: smollm2-135m-instruct}
          threat_model: {knowledge: \(knowledge)}
          dataset: {name: state-of-the-union}
          attacks: \(attacks)
          """, origin: "p.yaml", known: names)
    }
    #expect(try plan("K0", "[uniform, unigram]").attacks.count == 2)
    #expect(try plan("K1", "[unigram, anchors]").attacks.count == 2)
    let fault = #expect(throws: Fault.self) { try plan("K0", "[unigram, anchors]") }
    #expect(fault?.description.contains("an adversary at K0 has none") == true)
  }

  @Test func aTaskIsAPlanOrARecord() throws {
    #expect(try plan("task: {record: r.json}").task?.source == .record("r.json"))
    #expect(try plan("task: {plan: t.yaml, set: [\"a=b\"]}").task?.source == .plan("t.yaml", set: ["a=b"]))
    #expect(throws: Fault.self) { try plan("task: {plan: t.yaml, record: r.json}") }
    #expect(throws: Fault.self) { try plan("task: {record: r.json, set: [\"a=b\"]}") }
    #expect(throws: Fault.self) { try plan("task: {}") }
  }

  @Test func responsesGoWithSingleSends() throws {
    func dataset(_ rest: String) throws -> AuditPlan {
      try AuditPlan(
        yaml: "plan: r\nmodel: {checkpoint: smollm2-135m-instruct}\ndataset: {name: state-of-the-union, \(rest)}\nattacks: [unigram]\n",
        origin: "p.yaml", known: known)
    }
    #expect(try dataset("responses: 8").dataset.responses == 8)
    #expect(throws: Fault.self) { try dataset("responses: 8, repeats: 2") }
    // A document that is answered is a message by itself.
    func messages(_ batch: Int, responses: Int) throws -> AuditPlan {
      try AuditPlan(
        yaml: """
          plan: r
          model: {checkpoint: smollm2-135m-instruct}
          dataset: {name: state-of-the-union, responses: \(responses)}
          capture: {batch: \(batch)}
          attacks: [unigram]
          """, origin: "p.yaml", known: known)
    }
    _ = (try messages(1, responses: 8), try messages(2, responses: 0))
    let fault = #expect(throws: Fault.self) { try messages(2, responses: 8) }
    #expect(fault?.description.contains("one by itself") == true)
  }
}
