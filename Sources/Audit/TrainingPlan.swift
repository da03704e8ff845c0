import Crypto
import Diagnostics
import Foundation
package import Llama
package import SplitLearning

/// What `train` runs: a task, a split, adapters, noise, and how long; see attacks/README.md for every key.
package struct TrainingPlan: Sendable {
  package var name: String
  package var version: Int
  package var description: String
  package var model: ModelPlan
  package var precision: Precision
  package var task: TaskPlan
  package var adapters: AdapterSettings
  package var learningRate: Double
  package var schedule: LearningRateSchedule.Shape
  package var warmup: Int
  package var weightDecay: Double
  package var clip: Double
  package var steps: Int
  package var batch: Int
  /// Parts of a batch whose gradients are added up before an update.
  package var accumulate: Int
  /// Recompute activations in the backward pass instead of keeping them.
  package var checkpointing: Bool
  /// Parts whose blocks are trained whole instead of by adapters.
  package var full: Set<String>
  /// Steps between two checkpoints of the run.
  package var saveEvery: Int
  package var gradientDefense: GradientDefensePlan?
  package var record: RecordPlan?
  package var repartition: [RepartitionPlan]
  package var defense: DefensePlan
  package var federation: FederationPlan
  package var seeds: [Int]
  package var sweep: [SweepGrid]

  /// The examples: the folder of an official SuperGLUE task (train.jsonl, val.jsonl), or a file of rated sentences.
  package struct TaskPlan: Sendable, Hashable {
    package var name: String
    package var path: String
    /// At most this many examples; nil for all.
    package var train: Int?
    package var validation: Int?
    /// Longer prompts are cut to so many tokens.
    package var longestPrompt = 448
    /// Tokens of an answer in free text: of a training example, and of what is generated when judged.
    package var longestAnswer = 64
  }

  /// How many clients train together, how, and how unequal their data are.
  package struct FederationPlan: Sendable, Hashable {
    /// sequential, client-batch or server-hierarchical.
    package var mode = "sequential"
    package var clients = 1
    /// Steps between two averages in server-hierarchical mode.
    package var localSteps = 1
    /// Concentration of the Dirichlet law by which labels are dealt to clients; nil deals examples in turn.
    package var alpha: Double?
    /// Each client's own partition points; nil when all have the plan's.
    package var partitions: [PartitionPoints]?

    package init(
      mode: String = "sequential", clients: Int = 1, localSteps: Int = 1, alpha: Double? = nil, partitions: [PartitionPoints]? = nil
    ) {
      (self.mode, self.clients, self.localSteps, self.alpha, self.partitions) = (mode, clients, localSteps, alpha, partitions)
    }

    package static let modes = ["sequential", "client-batch", "server-hierarchical"]
  }

  private let tree: PlanNode
  private let known: KnownNames
  private let origin: String

  private static let keys = [
    "train", "version", "description", "model", "precision", "task", "adapters", "optimizer", "steps", "batch", "accumulate",
    "checkpointing",
    "full", "save_every", "defense", "gradient_defense", "record", "repartition", "federation", "seeds", "sweep",
  ]

  /// Reads and checks a plan file, with `key=value` assignments over it (`--set`). Throws `Fault` 66 when there is no file, 65 with file and line
  /// for everything wrong in it.
  /// - Parameter tasks: names of tasks.
  package init(contentsOf path: String, set: [String] = [], known: KnownNames, tasks: [String]) throws {
    var tree = try PlanText.parse(PlanText.read(path), origin: path)
    for assignment in set {
      let place = "--set \(assignment.prefix(200))"
      let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else { throw Fault(.usage, "an assignment reads key=value", at: place) }
      tree = try AuditPlan.assigning(
        PlanText.parse(parts[1].isEmpty ? "~" : parts[1], origin: place, showingLines: false), to: parts[0], in: tree)
      tree = AuditPlan.unsweeping(parts[0], in: tree)
    }
    try self.init(tree: tree, known: known, tasks: tasks, origin: path, cell: false)
  }

  /// Whether a plan file is one of these: it has the key `train`. False for what cannot be read as a map.
  package static func describes(_ path: String) -> Bool {
    guard let tree = try? PlanText.parse(PlanText.read(path), origin: path) else { return false }
    return tree.value(at: ["train"]) != nil
  }

  private init(tree: PlanNode, known: KnownNames, tasks: [String], origin: String, cell: Bool) throws {
    let root = try PlanMap(tree, path: "", keys: Self.keys)
    (self.tree, self.known, self.origin) = (tree, known, origin)
    name = try AuditPlan.suiteName(root.required("train", hint: "the name of the suite, for example train: rte"))
    version = try root.optional("version")?.integer(in: 1...1_000_000) ?? 1
    description = try root.optional("description")?.text() ?? ""
    model = try ModelPlan(root.required("model"), known: known)
    precision =
      try root.optional("precision").flatMap { Precision(rawValue: try $0.name("precision", among: ["f32", "bf16"])) } ?? .f32
    task = try TaskPlan(root.required("task"), tasks: tasks)
    adapters = try root.optional("adapters").map { try AdapterSettings($0) } ?? AdapterSettings()
    let optimizer = try root.optional("optimizer").map {
      try PlanMap($0.node, path: $0.path, keys: ["learning_rate", "schedule", "warmup", "weight_decay", "clip"])
    }
    learningRate = try optimizer?.optional("learning_rate")?.number(in: 0...10) ?? 1e-4
    let shapes = LearningRateSchedule.Shape.allCases.map(\.rawValue)
    schedule = try optimizer?.optional("schedule").flatMap { .init(rawValue: try $0.name("schedule", among: shapes)) } ?? .linear
    warmup = try optimizer?.optional("warmup")?.integer(in: 0...1_000_000) ?? 0
    weightDecay = try optimizer?.optional("weight_decay")?.number(in: 0...10) ?? 0.01
    clip = try optimizer?.optional("clip")?.number(in: 1e-6...1e6) ?? 1
    steps = try root.required("steps").integer(in: 1...10_000_000)
    batch = try root.optional("batch")?.integer(in: 1...4096) ?? 4
    accumulate = try root.optional("accumulate")?.integer(in: 1...4096) ?? 1
    checkpointing = try root.optional("checkpointing").map { try $0.name("checkpointing", among: ["on", "off"]) == "on" } ?? false
    full = Set(try root.optional("full")?.list("parts").map { try $0.name("part", among: ["input", "output"]) } ?? [])
    saveEvery = try root.optional("save_every")?.integer(in: 1...10_000_000) ?? 50
    gradientDefense = try root.optional("gradient_defense").map { try GradientDefensePlan($0) }
    record = try root.optional("record").map { try RecordPlan($0) }
    repartition = try root.optional("repartition")?.list("partitions").map { try RepartitionPlan($0) } ?? []
    sweep = try root.optional("sweep").map { try SweepGrid.grids($0) } ?? []
    let sweptNoise = !cell && !sweep.isEmpty && sweep.allSatisfy { $0.axes.contains { $0.key.hasPrefix("defense.") } }
    defense = try root.optional("defense").map { try DefensePlan($0, known: known, mayLackNoise: sweptNoise) } ?? .none
    federation = try root.optional("federation").map { try FederationPlan($0) } ?? FederationPlan()
    seeds = try AuditPlan.seeds(root.optional("seeds"))
    if !repartition.isEmpty, !full.isEmpty, let value = root.optional("repartition") {
      throw value.fault("blocks that are trained whole cannot move", hint: "drop \"full\" or \"repartition\"")
    }
    for part in full.sorted() {
      let own = (federation.partitions ?? []).map { part == "input" ? $0.input : $0.output }
      if Set(own).count > 1, let value = root.optional("federation") {
        throw value.fault(
          "clients that train their \(part) blocks whole cannot be averaged with others that have adapters there",
          hint: "give all clients as many \(part) blocks, or drop \(part) from \"full\"")
      }
    }
    if let late = repartition.first(where: { $0.step > steps }), let value = root.optional("repartition") {
      throw value.fault("the partition of step \(late.step) never comes: there are \(steps) steps")
    }
    if !cell { _ = try cells(tasks: tasks) }
  }

  /// One point of the sweep under one seed.
  package struct Cell: Sendable {
    /// `p1-q1-relative0.9-seed1`.
    package var id: String
    package var seed: Int
    package var plan: TrainingPlan
  }

  /// Every cell, seeds fastest. Throws as decoding does when a cell is no valid plan.
  package func cells(tasks: [String]) throws -> [Cell] {
    var cells: [Cell] = []
    var written: [String: SettingValue] = [:]
    var total = 0
    for grid in sweep.isEmpty ? [SweepGrid(axes: [])] : sweep {
      guard let points = grid.points, points <= SweepGrid.maximumCells else {
        throw Fault(.invalidData, "the sweep has more than \(SweepGrid.maximumCells) points", at: origin)
      }
      total += points * seeds.count
      guard total <= SweepGrid.maximumCells else {
        throw Fault(.invalidData, "the sweep has more than \(SweepGrid.maximumCells) cells (points × seeds)", at: origin)
      }
      for index in 0..<points {
        var tree = self.tree.removing { $0 == "sweep" }
        for (axis, node) in grid.point(index) { tree = try AuditPlan.assigning(node, to: axis.key, in: tree) }
        let plan = try TrainingPlan(tree: tree, known: known, tasks: tasks, origin: origin, cell: true)
        let name = PlanCell.name(
          plan.model.partition, plan.defense, swept: grid.point(index).map { ($0.0.key, $0.1.setting) })
        for seed in seeds {
          let id = name + "-seed\(seed)"
          if let other = written[id], other != plan.written {
            throw Fault(
              .invalidData, "two cells of the sweep have the name \(id)", at: origin, hint: "sweep settings by values that differ")
          }
          if written.updateValue(plan.written, forKey: id) == nil { cells.append(Cell(id: id, seed: seed, plan: plan)) }
        }
      }
    }
    return cells
  }

  /// SHA-256 of the plan as written, with its assignments: names the run.
  package var sha256: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(tree.setting) else { preconditionFailure("a plan holds only finite numbers") }
    return SHA256.hash(data: data).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The plan as it was written, for the record.
  package var written: SettingValue { tree.setting }
}

extension TrainingPlan.TaskPlan {
  fileprivate init(_ value: PlanValue, tasks: [String]) throws {
    let map = try PlanMap(
      value.node, path: value.path, keys: ["name", "path", "train", "validation", "max_prompt_tokens", "max_answer_tokens"])
    name = try map.required("name", hint: "known: \(tasks.joined(separator: ", "))").name("task", among: tasks)
    path = try map.required("path", hint: "the folder of the task's official files").text()
    train = try map.optional("train")?.integer(in: 1...10_000_000)
    validation = try map.optional("validation")?.integer(in: 1...10_000_000)
    longestPrompt = try map.optional("max_prompt_tokens")?.integer(in: 4...8000) ?? longestPrompt
    longestAnswer = try map.optional("max_answer_tokens")?.integer(in: 2...4000) ?? longestAnswer
  }
}
