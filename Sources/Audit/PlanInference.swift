import Diagnostics

extension AttackPlan {
  /// `inference`: a list of maps or bare names; empty without the key.
  static func inference(_ root: PlanMap, known: KnownNames) throws -> [AttackPlan] {
    guard let value = root.optional("inference") else { return [] }
    let items = try value.list("inference attacks")
    guard items.count <= 1_000 else { throw value.fault("\"inference\" lists \(items.count) attacks, at most 1000 are allowed") }
    var names = known
    names.attacks = known.inference
    let plans = try items.map { item in
      let plan = try AttackPlan(item, known: names)
      if plan.documents != nil { throw item.fault("\(plan.name) is about all documents: documents cannot be fewer") }
      return plan
    }
    return try labelled(plans, items)
  }
}

extension AuditPlan {
  /// What `inference` and `dataset.members` ask of the rest of the plan.
  func checkInference(_ root: PlanMap) throws {
    if dataset.members != nil, victim == nil {
      throw try root.required("dataset").fault(
        "dataset.members are texts of the victim's fine-tuning, and there is no victim", hint: "add victim: {steps: 200}")
    }
    if !inference.isEmpty, dataset.repeats > 1 {
      throw try root.required("inference").fault("inference is about documents that are sent once: dataset.repeats must be 1")
    }
    if dataset.repeats > 1, let some = attacks.first(where: { $0.documents != nil }) {
      throw try root.required("dataset").fault("\(some.label) reads some documents, which cannot be chosen among repeated sends")
    }
    if dataset.members == nil, let test = inference.first(where: { $0.name.hasPrefix("membership-") }) {
      throw try root.required("inference").fault(
        "\(test.label) needs documents that are members and documents that are not", hint: "dataset.members: 0.5, with a victim")
    }
  }
}
