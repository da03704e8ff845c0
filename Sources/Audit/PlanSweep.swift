import Diagnostics
package import SplitLearning

/// One point of a sweep under one seed: what the runner measures once per attack and metric.
package struct PlanCell: Sendable {
  /// Readable, unique in the plan, a function of `settings`, safe as a file name: `p1-q1-relative0.9-seed1`.
  package var id: String
  /// Dotted key → value: the partition, the noise, every swept key, and `seed`.
  package var settings: [String: SettingValue]
  package var seed: Int
  /// The plan of this cell alone: one seed, no sweep.
  package var plan: AuditPlan

  package var partition: PartitionPoints { plan.model.partition }

  /// Whether every part of `text`, taken apart at `-`, is a part of the name: `p1-seed2`, not `p` or `seed`.
  package func isNamed(by text: String) -> Bool {
    let parts = Set(id.split(separator: "-"))
    return text.split(separator: "-").allSatisfy(parts.contains)
  }

  package var defense: DefensePlan { plan.defense }
  package var noise: NoiseAmount? { plan.defense.noise }

  /// Letters, digits, `.`, `-` kept; anything else becomes `_`.
  static func fileSafe(_ text: String) -> String {
    String(text.prefix(60).map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") ? $0 : "_" })
  }
}

extension SweepGrid {
  static let maximumCells = 10_000

  /// `sweep:` is one map of dotted keys to lists, or a list of such maps (the union of their grids).
  static func grids(_ value: PlanValue) throws -> [SweepGrid] {
    if case .list = value.node.content { return try value.list("maps").map { try SweepGrid($0) } }
    let grid = try SweepGrid(value)
    return grid.axes.isEmpty ? [] : [grid]
  }

  init(_ value: PlanValue) throws {
    guard case .map(let entries) = value.node.content else {
      throw value.fault("\"\(value.path)\" must be a map of dotted keys to lists, found \(value.node.kind)")
    }
    axes = try entries.map { entry in
      try SweepGrid.checkKey(entry)
      let items = try PlanValue(node: entry.value, path: "\(value.path).\(entry.key)").list("values")
      for item in items {
        guard case .scalar(let scalar) = item.node.content, scalar != .null else {
          throw item.fault("\"\(item.path)\" must be a value, found \(item.node.kind)")
        }
      }
      return SweepAxis(key: entry.key, nodes: items.map(\.node), place: entry.keyPlace)
    }
    let units = axes.filter { PlanKeys.noiseUnits.map { "defense.\($0)" }.contains($0.key) }
    if units.count > 1 {
      throw Fault(
        .invalidData, "\(units[0].key) and \(units[1].key) are two units of one noise", at: units[1].place.description,
        hint: "put them into two grids: sweep as a list of maps")
    }
  }

  private static func checkKey(_ entry: PlanEntry) throws {
    let partition = ["model.partition.input", "model.partition.output"]
    let roots = ["defense.", "attack.", "attacks."]
    guard partition.contains(entry.key) || roots.contains(where: { entry.key.hasPrefix($0) && entry.key.count > $0.count }) else {
      let examples = partition + PlanKeys.noiseUnits.map { "defense.\($0)" } + ["defense.name"]
      throw Fault(
        .invalidData, "cannot sweep \"\(entry.key)\": a sweep runs over model.partition.*, defense.* and attack settings",
        at: entry.keyPlace.description, hint: nearestName(to: entry.key, among: examples).map { "did you mean \"\($0)\"?" })
    }
  }

  /// Number of points, nil when it does not fit an Int.
  var points: Int? {
    axes.reduce(1) { total, axis in
      guard let total else { return nil }
      let (product, overflow) = total.multipliedReportingOverflow(by: axis.nodes.count)
      return overflow ? nil : product
    }
  }

  /// The axis values of point `index`, the first axis slowest.
  func point(_ index: Int) -> [(axis: SweepAxis, node: PlanNode)] {
    var rest = index
    return axes.reversed().map { axis in
      defer { rest /= axis.nodes.count }
      return (axis, axis.nodes[rest % axis.nodes.count])
    }.reversed()
  }
}

extension AuditPlan {
  /// Every cell: grids in order, points of a grid in order (first axis slowest); equal cells of two grids appear once. Seeds are
  /// slowest: a run that is cut short has the whole grid under its first seed.
  /// Throws `Fault` 65 when a cell is not a valid plan or there are more than 10,000.
  package func cells() throws -> [PlanCell] {
    let grids = sweep.isEmpty ? [SweepGrid(axes: [])] : sweep
    var total = 0
    for grid in grids {
      let (sum, overflow) = total.addingReportingOverflow(grid.points ?? .max)
      total = overflow ? .max : sum
    }
    guard total <= SweepGrid.maximumCells / seeds.count else {
      let place = tree.value(at: ["sweep"])?.place ?? tree.place
      throw Fault(
        .invalidData, "the sweep has more than \(SweepGrid.maximumCells) cells (points × seeds)", at: place.description,
        hint: "sweep fewer values, or split the plan")
    }
    var out: [PlanCell] = []
    var seen: [String: [String: SettingValue]] = [:]
    let points = grids.flatMap { grid in (0..<(grid.points ?? 0)).map(grid.point) }
    let plans = try points.map(plan)
    for seed in seeds {
      for (point, base) in zip(points, plans) {
        let cell = PlanCell(base, point.map(\.axis.key), seed: seed)
        if let other = seen[cell.id] {
          guard other == cell.settings else {
            throw Fault(.invalidData, "two cells of the sweep have the name \(cell.id)", at: point.last?.node.place.description)
          }
        } else {
          seen[cell.id] = cell.settings
          out.append(cell)
        }
      }
    }
    return out
  }

  /// The plan of one point; setting a unit of noise takes the others away.
  private func plan(at point: [(axis: SweepAxis, node: PlanNode)]) throws -> AuditPlan {
    var tree = tree.removing { $0 == "sweep" }
    for (axis, node) in point { tree = try AuditPlan.assigning(node, to: axis.key, in: tree) }
    return try AuditPlan(tree: tree, known: known, origin: origin, cell: true)
  }

  /// Parts of a dotted key, at most: each is a level of a tree that is walked by recursion.
  private static let longestKey = 16

  /// `tree` with `node` at the dotted key; a unit of noise takes the other units (and a lone delta) away.
  static func assigning(_ node: PlanNode, to key: String, in tree: PlanNode) throws -> PlanNode {
    let path = key.split(separator: ".", maxSplits: longestKey, omittingEmptySubsequences: false).map(String.init)
    guard path.count <= longestKey else {
      throw Fault(.invalidData, "there is no key \"\(key.prefix(60))…\" in the plan", at: node.place.description)
    }
    var tree = tree
    if path.first == "defense", path.count == 2, PlanKeys.noiseUnits.contains(path[1]), let defense = tree.value(at: ["defense"]) {
      let rivals = PlanKeys.noiseUnits.filter { $0 != path[1] } + (path[1] == "epsilon" ? [] : ["delta"])
      tree = tree.setting(defense.removing(where: rivals.contains), at: ["defense"]) ?? tree
    }
    guard !path.contains(""), let changed = tree.setting(node, at: path) else {
      throw Fault(.invalidData, "there is no key \"\(key)\" in the plan", at: node.place.description)
    }
    return changed
  }
}

extension PlanCell {
  fileprivate init(_ base: AuditPlan, _ swept: [String], seed: Int) {
    var plan = base
    (plan.seeds, plan.sweep) = ([seed], [])
    let points = plan.model.partition
    var settings: [String: SettingValue] = [
      "model.partition.input": .number(Double(points.input)), "model.partition.output": .number(Double(points.output)),
      "seed": .number(Double(seed)),
    ]
    for (key, value) in plan.defense.noise?.keys ?? [:] { settings["defense.\(key)"] = .number(value) }
    if let clip = plan.defense.clip { settings["defense.clip"] = .number(clip) }
    let values = swept.compactMap { key in
      base.tree.value(at: key.split(separator: ".").map(String.init)).map { (key, $0.setting) }
    }
    let name = Self.name(points, plan.defense, swept: values)
    for (key, value) in values where settings[key] == nil { settings[key] = value }
    self.init(id: name + "-seed\(seed)", settings: settings, seed: seed, plan: plan)
  }

  /// `p1-q1-relative0.9`: partition, noise or defense, clip, and whatever else is swept.
  static func name(_ points: PartitionPoints, _ defense: DefensePlan, swept: [(key: String, value: SettingValue)]) -> String {
    var parts = ["p\(points.input)", "q\(points.output)", defense.noise?.label ?? defense.name]
    if let clip = defense.clip { parts.append("clip\(SettingValue.number(clip).label)") }
    var named = Set(["model.partition.input", "model.partition.output", "seed", "defense.clip"])
    named.formUnion((defense.noise?.keys ?? [:]).keys.map { "defense.\($0)" })
    for (key, value) in swept where named.insert(key).inserted {
      if key == "defense.name" && defense.noise == nil { continue }
      let last = key.split(separator: ".").last.map(String.init) ?? key
      parts.append(PlanCell.fileSafe(last == "name" ? value.label : last + value.label))
    }
    return parts.joined(separator: "-")
  }
}
