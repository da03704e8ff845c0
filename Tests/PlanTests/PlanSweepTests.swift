import Audit
import Diagnostics
import Testing

@Suite struct PlanSweepTests {
  let base = small.replacing(", relative: 0.9", with: "")

  @Test func aGridIsAProductAndAListIsAUnion() throws {
    let text = small + "\nsweep:\n  model.partition.input: [1, 2]\n  defense.relative: [0, 4.5]"
    #expect(
      try plan(text).cells().map(\.id) == [
        "p1-q1-relative0-seed1", "p1-q1-relative4.5-seed1", "p2-q1-relative0-seed1", "p2-q1-relative4.5-seed1",
        "p1-q1-relative0-seed2", "p1-q1-relative4.5-seed2", "p2-q1-relative0-seed2", "p2-q1-relative4.5-seed2",
      ])
    let union = try plan(small + "\nsweep: [{defense.relative: [0, 1]}, {defense.relative: [1, 2]}, {defense.sigma: [3]}]")
    #expect(try union.cells().filter { $0.seed == 1 }.map(\.noise) == [.relative(0), .relative(1), .relative(2), .sigma(3)])
  }

  @Test func aSweptUnitReplacesTheOthers() throws {
    let cells = try plan(small + "\nsweep: {defense.mean_abs: [0.02]}").cells()
    #expect(cells[0].noise == .meanAbsolute(0.02))
    #expect(cells[0].settings["defense.relative"] == nil)
  }

  @Test func defensesAndAttackSettingsCanBeSwept() throws {
    let text = base + "\nsweep: [{defense.name: [none]}, {defense.sigma: [1], attack.beam: [1, 8]}]"
    let cells = try plan(text).cells().filter { $0.seed == 1 }
    #expect(cells.map(\.id) == ["p2-q1-none-seed1", "p2-q1-sigma1-beam1-seed1", "p2-q1-sigma1-beam8-seed1"])
    #expect(cells[2].plan.attacks[0].settings["beam"] == .number(8))
    #expect(cells[2].settings["attack.beam"] == .number(8))
    let private1 = try plan(small.replacing("relative: 0.9", with: "epsilon: 8, delta: 1e-5, clip: 1")).cells()[0]
    #expect(private1.id == "p2-q1-epsilon8-delta1e-05-clip1-seed1")
    #expect(private1.plan.defense.clip == 1)
  }

  @Test func cellsAreUniqueAndFunctionsOfTheirSettings() throws {
    let cells = try plan(small + "\nsweep: {attack.prior_weight: [0, 0.5], model.partition.input: [0, 1], defense.sigma: [0, 1]}").cells()
    #expect(Set(cells.map(\.id)).count == 16 && Set(cells.map(\.settings)).count == 16)
  }

  @Test(arguments: [
    ("{model.partition.inptu: [1]}", "cannot sweep \"model.partition.inptu\""),
    ("{dataset.limit: [1]}", "cannot sweep"),
    ("{defense.relativ: [1]}", "unknown key \"relativ\""),
    ("{defense.relative: []}", "empty list"),
    ("{defense.relative: 3}", "must be a list"),
    ("{defense.relative: [[1]]}", "must be a value"),
    ("{defense.relative: [1, -1]}", "outside 0…"),
    ("{defense.relative: [1], defense.sigma: [1]}", "two units of one noise"),
    ("{attack.beam.deep: [1]}", "there is no key"),
    ("{attacks.0.beam: [1]}", "either \"attack\" or \"attacks\""),
    ("[1]", "must be a map"),
    ("{model.partition.input: [\(Array(repeating: "1", count: 9000).joined(separator: ","))]}", "more than 10000 cells"),
  ])
  func badSweeps(_ sweep: String, _ message: String) throws {
    let fault = #expect(throws: Fault.self) { try plan(small + "\nsweep: \(sweep)") }
    #expect(fault?.code == .invalidData && fault?.location?.hasPrefix("attacks/x.yaml:") == true, "\(String(describing: fault))")
    #expect(fault?.message.contains(message) == true, "\(String(describing: fault))")
  }

  @Test func hugeProductsDoNotOverflow() throws {
    let values = "[\((0..<2000).map(String.init).joined(separator: ","))]"
    let axes = (0..<12).map { "attack.a\($0): \(values)" }.joined(separator: ", ")
    let fault = #expect(throws: Fault.self) { try plan(small + "\nsweep: {\(axes)}") }
    #expect(fault?.message.contains("cells") == true)
  }

  @Test func flagsBeatTheFile() throws {
    let swept = try plan(small + "\nsweep: {model.partition.input: [1, 2], defense.relative: [0, 1]}")
    let changed = try swept.overriding(["defense.sigma=0.5", "dataset.limit=4", "seeds=[7]"])
    #expect(changed.dataset.limit == 4)
    #expect(try changed.cells().map(\.id) == ["p1-q1-sigma0.5-seed7", "p2-q1-sigma0.5-seed7"])
    #expect(try swept.overriding(["model.partition.input=5"]).cells().count == 4)
    #expect(try swept.overriding(["model.partition={input: 3, output: 2}"]).cells()[0].id == "p3-q2-relative0-seed1")
    #expect(changed.sha256 != swept.sha256)
  }

  @Test(arguments: [
    ("dataset.limit", Fault.Code.usage, "key=value"), ("datset.limit=3", .invalidData, "unknown key"),
    ("dataset.limt=3", .invalidData, "unknown key \"limt\""), ("dataset.limit=x", .invalidData, "must be an integer"),
    ("dataset..limit=3", .invalidData, "no key"), ("seeds=[1", .invalidData, "not valid YAML"),
    ("attacks.9.beam=1", .invalidData, "either"),
    ("dataset" + String(repeating: ".a", count: 60_000) + "=1", .invalidData, "no key"), ("plan.x=1", .invalidData, "no key"),
  ])
  func badFlags(_ flag: String, _ code: Fault.Code, _ message: String) throws {
    let valid = try plan(small)
    let fault = #expect(throws: Fault.self) { try valid.overriding([flag]) }
    #expect(fault?.code == code && fault?.message.contains(message) == true, "\(String(describing: fault))")
    #expect(fault?.location?.contains("--set") == true || fault?.location?.contains("x.yaml") == true)
  }
}
