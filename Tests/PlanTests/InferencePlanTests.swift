import Audit
import Diagnostics
import Testing

@Suite struct InferencePlanTests {
  private let inferring =
    small + """

      victim: {steps: 10, passages: 0}
      inference:
        - metadata-length
        - {name: membership-loss, source: weights}
        - {name: membership-loss, source: observed}
      """

  private func members(_ text: String, _ share: String = "0.5") -> String {
    text.replacing("limit: 3", with: "limit: 3\n  members: \(share)")
  }

  @Test func namesAndMapsWithLabels() throws {
    let plan = try PlanTests.plan(members(inferring))
    #expect(plan.inference.map(\.label) == ["metadata-length", "membership-loss-weights", "membership-loss-observed"])
    #expect(plan.dataset.members == 0.5 && plan.victim?.passages == 0)
    #expect(try PlanTests.plan(small).inference.isEmpty && PlanTests.plan(small).dataset.members == nil)
    let again = try PlanTests.plan(plan.canonicalJSON)
    #expect(again.canonicalJSON == plan.canonicalJSON && again.inference == plan.inference)
    #expect(try plan.cells()[0].plan.inference == plan.inference)
    // A plan without any of it is the plan that it was.
    #expect(try !PlanTests.plan(small).canonicalJSON.contains("inference"))
    #expect(
      VictimPlan().resolved == .map(["steps": .number(200), "batch": .number(4), "rank": .number(8), "learning_rate": .number(5e-4)]))
  }

  @Test(arguments: [
    ("metadata-length", "metadata-lenght", "did you mean \"metadata-length\"?"),
    ("source: weights", "sauce: weights", "did you mean \"source\"?"),
    ("source: weights", "source: wights", "did you mean \"weights\"?"), ("inference:", "inferrence:", "did you mean \"inference\"?"),
    ("source: observed", "source: weights", "give its entries different settings"),
    ("passages: 0", "pasages: 0", "did you mean \"passages\"?"),
  ]) func mistakesAreNamed(from: String, to: String, hint: String) throws {
    let text = members(inferring).replacing(from, with: to)
    let fault = #expect(throws: Fault.self) { try plan(text) }
    #expect(fault?.hint == hint && fault?.location?.hasPrefix("attacks/x.yaml:") == true, "\(String(describing: fault))")
  }

  @Test func whatDoesNotGoTogetherIsRefused() throws {
    #expect(throws: Fault.self) { try plan(inferring) }
    #expect(throws: Fault.self) { try plan(members(inferring, "1.5")) }
    #expect(throws: Fault.self) { try plan(members(small)) }
    #expect(throws: Fault.self) { try plan(members(inferring).replacing("limit: 3", with: "limit: 3\n  repeats: 2")) }
    #expect(throws: Fault.self) { try plan(small + "\ninference: []") }
    #expect(throws: Fault.self) { try plan(small + "\ninference: 3") }
  }
}
