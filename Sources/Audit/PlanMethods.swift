import Diagnostics

extension DefensePlan {
  /// No defense.
  static let none = DefensePlan(name: "none")

  /// `mayLackNoise`: the plan sweeps the defense, so its noise may be given by the cells only.
  init(_ value: PlanValue, known: KnownNames, mayLackNoise: Bool) throws {
    let any = try PlanMap(value.node, path: value.path, keys: nil)
    name = try any.required("name").name("defense", among: known.defenses.keys)
    let method = known.defenses[name] ?? KnownMethod()
    let noiseKeys = method.takesNoise ? PlanKeys.noise : []
    let map = try PlanMap(value.node, path: value.path, keys: method.settings.map { ["name"] + noiseKeys + $0.keys.sorted() })
    settings = [:]
    for key in map.keys where key != "name" && !noiseKeys.contains(key) {
      settings[key] = try map.optional(key)?.setting(method.settings?[key])
    }
    (noise, clip) = (nil, nil)
    guard method.takesNoise else { return }
    clip = try map.optional("clip")?.number(in: 1e-9...1e9)
    noise = try DefensePlan.noise(map, clip: clip)
    guard noise != nil || mayLackNoise else {
      throw value.fault(
        "defense \"\(name)\" needs an amount of noise", hint: "one of: mean_abs, sigma, relative, epsilon with delta and clip")
    }
  }

  private static func noise(_ map: PlanMap, clip: Double?) throws -> NoiseAmount? {
    let units = PlanKeys.noiseUnits.filter(map.has)
    guard units.count <= 1 else {
      throw try map.required(units[1]).fault("noise is given in one unit, found \(units.joined(separator: " and "))")
    }
    if units.first != "epsilon", let delta = map.optional("delta") { throw delta.fault("\"\(delta.path)\" goes with epsilon only") }
    guard let unit = units.first else { return nil }
    let value = try map.required(unit)
    switch unit {
    case "mean_abs": return .meanAbsolute(try value.number(in: 0...1e9))
    case "sigma": return .sigma(try value.number(in: 0...1e9))
    case "relative": return .relative(try value.number(in: 0...1e9))
    default:
      let epsilon = try value.number(in: 1e-9...1e9)
      let delta = try map.required("delta", hint: "epsilon needs delta and clip").number(in: 1e-300...0.5)
      guard clip != nil else {
        throw value.fault("\"\(map.name("clip"))\" is missing: without a bound on the states there is no epsilon", hint: "add clip: 1.0")
      }
      return .privacy(epsilon: epsilon, delta: delta)
    }
  }
}

extension AttackPlan {
  /// `attack` (one map) or `attacks` (a list of maps or bare names), all of them within the power and knowledge of `adversary`.
  static func list(_ root: PlanMap, known: KnownNames, adversary: ThreatModel) throws -> [AttackPlan] {
    if let single = root.optional("attack") {
      if let both = root.entry("attacks") {
        throw Fault(.invalidData, "a plan has either \"attack\" or \"attacks\"", at: both.keyPlace.description)
      }
      return [try AttackPlan(single, known: known, adversary: adversary)]
    }
    let value = try root.required("attacks", hint: "known attacks: \(known.attacks.keys.sorted().joined(separator: ", "))")
    let items = try value.list("attacks")
    guard items.count <= 1_000 else { throw value.fault("\"attacks\" lists \(items.count) attacks, at most 1000 are allowed") }
    let plans = try items.map { try AttackPlan($0, known: known, adversary: adversary) }
    return try labelled(plans, items)
  }

  private init(_ value: PlanValue, known: KnownNames, adversary: ThreatModel) throws {
    self = try AttackPlan(value, known: known)
    if adversary.knowledge == .k0, known.attacks[name]?.isBlackBox == false {
      throw value.fault(
        "\"\(name)\" runs the public weights, and an adversary at K0 has none",
        hint: "threat_model.knowledge: K1, or K2 for the exact weights")
    }
    guard let able = known.attacks[name]?.roles, !able.contains(adversary.role) else { return }
    throw value.fault(
      "\"\(name)\" is an active attack, which a \(adversary.role.rawValue) does not carry out: it decides what the model runs",
      hint: "threat_model.role: \(able.map(\.rawValue).joined(separator: " or "))")
  }

  init(_ value: PlanValue, known: KnownNames) throws {
    if case .scalar = value.node.content {
      name = try value.name("attack", among: known.attacks.keys)
      (settings, label, documents) = ([:], name, nil)
      return
    }
    name = try PlanMap(value.node, path: value.path, keys: nil).required("name").name("attack", among: known.attacks.keys)
    let rules = known.attacks[name]?.settings
    let map = try PlanMap(value.node, path: value.path, keys: rules.map { ["name", "documents"] + $0.keys.sorted() })
    (settings, label) = ([:], name)
    documents = try map.optional("documents")?.integer(in: 1...1_000_000)
    for key in map.keys where key != "name" && key != "documents" { settings[key] = try map.optional(key)?.setting(rules?[key]) }
    // A setting called label names the entry; only methods that have such a rule accept it.
    if let own = settings["label"]?.text { label = "\(name)-\(PlanCell.fileSafe(own))" }
  }

  /// Gives entries of the same name different labels, from the settings in which they differ.
  static func labelled(_ plans: [AttackPlan], _ values: [PlanValue]) throws -> [AttackPlan] {
    var out = plans
    for group in Dictionary(grouping: plans.indices, by: { plans[$0].name }).values where group.count > 1 {
      let keys = Set(group.flatMap { plans[$0].settings.keys }).sorted()
      let telling = keys.filter { key in Set(group.map { plans[$0].settings[key] }).count > 1 }
      for index in group where plans[index].settings["label"] == nil {
        let parts = telling.compactMap { key in plans[index].settings[key].map { PlanCell.fileSafe($0.label) } }
        out[index].label = ([plans[index].name] + parts).joined(separator: "-")
      }
    }
    var first: [String: Int] = [:]
    for (index, plan) in out.enumerated() {
      if first[plan.label] != nil {
        throw values[index].fault("attack \"\(plan.label)\" is listed twice", hint: "give its entries different settings")
      }
      first[plan.label] = index
    }
    return out
  }
}
