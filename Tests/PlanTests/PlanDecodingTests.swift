import Audit
import Diagnostics
import Foundation
import SplitLearning
import Testing

@Suite struct PlanDecodingTests {
  /// A slow attack reads some documents of a cell, each seed the next ones; together the seeds read them all.
  @Test func anAttackMayReadSomeDocuments() throws {
    let text = small.replacing("name: sequential-matching", with: "name: sequential-matching, documents: 34")
    let attack = try plan(text).attacks[0]
    #expect(attack.documents == 34 && attack.settings["documents"] == nil && attack.label == "sequential-matching")
    #expect(try plan(text).sha256 != plan(small).sha256)
    let chosen = (1...3).map { attack.chosen(of: 100, seed: $0) ?? [] }
    #expect(chosen[0] == Array(0..<34) && chosen[2] == Array(68..<100) + [0, 1])
    #expect(Set(chosen.joined()).count == 100)
    #expect(attack.chosen(of: 34, seed: 1) == nil && attack.chosen(of: 100, seed: -7)?.count == 34)
    #expect(attack.chosen(of: 100, seed: .max)?.allSatisfy((0..<100).contains) == true)
    #expect(attack.chosen(of: 100, seed: .min)?.allSatisfy((0..<100).contains) == true)
    for wrong in ["0", "-1", "a", "1.5"] {
      #expect(throws: Fault.self) { try plan(text.replacing("documents: 34", with: "documents: \(wrong)")) }
    }
    #expect(throws: Fault.self) { try plan(text.replacing("limit:", with: "repeats: 2, limit:")) }
  }

  @Test func theQuickstartIsTheGridItClaims() throws {
    let plan = try AuditPlan(contentsOf: root.appending(path: "attacks/quickstart.yaml").path, known: known)
    let cells = try plan.cells()
    #expect(cells.count == 3 * 4 + 3 * 3)
    #expect(cells[0].id == "p1-q1-relative0-seed1")
    #expect(cells[1].id == "p1-q1-relative0.9-seed1")
    #expect(cells[20].id == "p3-q1-mean_abs0.1-seed1")
    #expect(cells[20].noise == .meanAbsolute(0.1))
    #expect(cells[20].settings["defense.mean_abs"] == .number(0.1))
    #expect(cells[20].partition == PartitionPoints(input: 3, output: 1))
    #expect(plan.attacks.map(\.label).filter { $0.hasPrefix("nearest") } == ["nearest-embedding-cosine", "nearest-embedding-l2"])
    #expect(plan.metrics == known.metrics.sorted())
    #expect(plan.dataset.limit == 12 && plan.dataset.minTokens == 32 && plan.dataset.maxTokens == 64)
  }

  @Test func typedFieldsAndDefaults() throws {
    let plan = try plan(small)
    #expect(plan.name == "tiny" && plan.version == 1 && plan.paper == nil)
    #expect(plan.model.partition == PartitionPoints(input: 2, output: 1))
    #expect(plan.dataset.source == .named("state-of-the-union", split: "private"))
    #expect(plan.defense.noise == .relative(0.9))
    #expect(plan.attacks == [AttackPlan(name: "sequential-matching", settings: ["beam": .number(4)], label: "sequential-matching")])
    #expect(plan.threatModel.knowledge == .k2 && plan.threatModel.channels == [.inputHiddenStates])
    #expect(try plan.cells().map(\.id) == ["p2-q1-relative0.9-seed1", "p2-q1-relative0.9-seed2"])
  }

  @Test func aFileOfTheUsersOwn() throws {
    let text = small.replacing("name: state-of-the-union", with: "path: mine.csv\n  column: body")
    let plan = try plan(text)
    #expect(plan.dataset.source == .file(path: "mine.csv", column: "body"))
    #expect(plan.dataset.minTokens == 1 && plan.dataset.maxTokens == 512)
  }

  @Test func theResolvedPlanDecodesToTheSameBytes() throws {
    for text in [small, small + "\nsweep: [{defense.sigma: [0, 1e-5]}, {attack.beam: [1, 2]}]"] {
      let first = try plan(text)
      // A single attack is a list once resolved, so a sweep over it is checked on the JSON of the plan without one.
      guard !text.contains("attack.beam") else {
        #expect(first.canonicalJSON.contains("attack.beam"))
        continue
      }
      let second = try plan(first.canonicalJSON)
      #expect(second.canonicalJSON == first.canonicalJSON)
      #expect(second.sha256 == first.sha256 && first.sha256.count == 64)
    }
    #expect(try plan(small).sha256 != plan(small.replacing("0.9", with: "0.8")).sha256)
  }

  @Test(arguments: [
    ("attack: {", "atack: {", 7, "unknown key \"atack\"", "did you mean \"attack\"?"),
    ("sequential-matching", "sequential-matchin", 7, "unknown attack \"sequential-matchin\"", "did you mean \"sequential-matching\"?"),
    ("beam: 4", "beem: 4", 7, "unknown key \"beem\"", "did you mean \"beam\"?"),
    ("beam: 4", "beam: 4.5", 7, "must be an integer, found the number 4.5", nil),
    ("beam: 4", "beam: 4000", 7, "outside 1…64", nil),
    ("name: gaussian", "name: gausian", 6, "unknown defense \"gausian\"", "did you mean \"gaussian\"?"),
    ("relative: 0.9", "relative: .nan", 6, "must be a finite number, found \".nan\"", nil),
    ("relative: 0.9", "relative: 1e999", 6, "out of range", nil),
    ("relative: 0.9", "relative: -1", 6, "outside 0…", nil),
    ("relative: 0.9", "relative: 0.9, sigma: 1", 6, "noise is given in one unit", nil),
    ("relative: 0.9", "epsilon: 8", 6, "\"defense.delta\" is missing", nil),
    ("relative: 0.9", "epsilon: 8, delta: 1e-5", 6, "\"defense.clip\" is missing", nil),
    (", relative: 0.9", "", 6, "needs an amount of noise", nil),
    ("limit: 3", "limit: 0", 5, "\"dataset.limit\" is 0", nil),
    ("limit: 3", "limit: 99999999999999999999", 5, "out of range", nil),
    ("limit: 3", "limit: three", 5, "must be an integer, found \"three\"", nil),
    ("limit: 3", "limit: 3\n  path: x.txt", 4, "either a name or a path", nil),
    ("limit: 3", "min_tokens: 9\n  max_tokens: 8", 4, "min_tokens 9 is above max_tokens 8", nil),
    ("limit: 3", "split: privat", 5, "unknown split \"privat\"", "did you mean \"private\"?"),
    ("token_accuracy", "token_acuracy", 8, "unknown metric", "did you mean \"token_accuracy\"?"),
    ("seeds: [1, 2]", "seeds: [1, 1]", 9, "a seed twice", nil),
    ("seeds: [1, 2]", "seeds: [1, -1]", 9, "outside 0…", nil),
    ("seeds: [1, 2]", "seeds: 1\nseeds: 2", 9, "appears twice", nil),
    ("seeds: [1, 2]", "seeds: [1, 2", 10, "not valid YAML", nil),
    ("plan: tiny", "plan: ../tiny", 1, "names a folder", nil),
    ("plan: tiny", "plan: 7", 1, "must be text, found the number 7", "put it in quotes"),
    ("plan: tiny", "plan: !!python/object tiny", 1, "no YAML tags", nil),
    ("input: 2", "inptu: 2", 2, "unknown key \"inptu\"", "did you mean \"input\"?"),
    ("smollm2-135m-instruct", "smollm2-135m", 2, "unknown checkpoint", nil),
    ("metrics:", "gradient_defense: {clip: 1, sigma: 1}\nmetrics:", 8, "changes nothing that this plan's server is granted", nil),
  ])
  func errorsNameTheLine(_ from: String, _ to: String, _ line: Int, _ message: String, _ hint: String?) throws {
    let text = small.replacing(from, with: to)
    #expect(text != small)
    let fault = #expect(throws: Fault.self) { try plan(text) }
    #expect(fault?.code == .invalidData)
    #expect(fault?.location == "attacks/x.yaml:\(line)", "\(String(describing: fault))")
    #expect(fault?.message.contains(message) == true, "\(String(describing: fault))")
    if let hint { #expect(fault?.hint == hint) }
  }

  @Test func theBayesReferenceIsRefusedWhereItsLawDoesNotHold() throws {
    var known = known
    known.defenses["laplace"] = KnownMethod(takesNoise: true)
    let text = small + "\nreference: 5"
    #expect(try AuditPlan(yaml: text, origin: "x.yaml", known: known).reference == 5)
    let fault = #expect(throws: Fault.self) {
      try AuditPlan(yaml: text.replacing("gaussian", with: "laplace"), origin: "x.yaml", known: known)
    }
    #expect(fault?.message.contains("knows Gaussian noise alone") == true)
  }

  @Test func missingKeysAndFiles() throws {
    #expect(throws: Fault.self) { try plan("") }
    #expect(throws: Fault.self) { try plan("- 1") }
    #expect(throws: Fault.self) { try plan("plan: a\n---\nplan: b") }
    let absent = #expect(throws: Fault.self) { try AuditPlan(contentsOf: "/nonexistent/x.yaml", known: known) }
    #expect(absent?.code == .missingInput)
    #expect(throws: Fault.self) { try AuditPlan(contentsOf: "/dev/zero", known: known) }
    #expect(throws: Fault.self) { try AuditPlan(contentsOf: "/tmp", known: known) }
  }

  @Test func theAttackerMayNotLearnFromTheTextsUnderAttack() throws {
    let text = small.replacing("limit: 3", with: "split: public") + "\nthreat_model: {auxiliary: state-of-the-union}"
    let fault = #expect(throws: Fault.self) { try plan(text) }
    #expect(fault?.message.contains("learn from the texts under attack") == true)
  }

  /// A command is a list of words, or one text that is split at spaces; both mean the same.
  @Test func commandsAreWords() throws {
    var names = known
    names.attacks["external"] = KnownMethod(settings: ["command": .words, "time_limit": .number(0.1...100)])
    func command(_ text: String) throws -> SettingValue? {
      let yaml = small.replacingOccurrences(
        of: "attack: {name: sequential-matching, beam: 4}", with: "attack: {name: external, command: \(text)}")
      return try AuditPlan(yaml: yaml, origin: "x.yaml", known: names).attacks[0].settings["command"]
    }
    let words: SettingValue = .list(["python3", "a.py", "3"].map { .string($0) })
    #expect(try command("[python3, a.py, 3]") == words)
    #expect(try command("python3 a.py  3") == words)
    let labelled = small.replacingOccurrences(
      of: "attack: {name: sequential-matching, beam: 4}",
      with:
        "attacks: [{name: external, command: a, label: \"my one\"}, {name: external, command: a, label: b}, {name: external, command: a}]")
    #expect(try plan(labelled).attacks.map(\.label) == ["external-my_one", "external-b", "external"])
    for bad in ["[]", "{}", "3", "[python3, [a]]", "' '", "[python3, true]"] {
      let fault = #expect(throws: Fault.self, "\(bad)") { try command(bad) }
      #expect(fault?.location == "x.yaml:7", "\(bad)")
    }
  }
}
