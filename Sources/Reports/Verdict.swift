import Audit

/// The answer in plain words, computed from the record and no stronger than it.
struct Verdict: Sendable, Equatable {
  /// The most that leaked, with interval, n, cell and attack; or that nothing was measured.
  var headline: String
  /// What stands beside it: guessing, the most protective setting and its price, the limits of the claim.
  var details: [String]

  init(_ record: AuditRecord, _ findings: Findings) {
    if record.valid == false {
      headline = "A control failed, so this record supports no conclusion about leakage."
      details = record.invalidReasons ?? []
      return
    }
    guard let metric = findings.primary, let worst = Self.extreme(findings, metric, most: true) else {
      headline =
        record.inference?.isEmpty ?? true
        ? "No attack was scored, so this record supports no conclusion about leakage."
        : "No attack was asked to read text; what can be inferred without reading it is under inference."
      details = record.complete ? [] : ["The run did not finish."]
      return
    }
    let who = Self.adversary(record.threatModel)
    headline =
      "\(who) recovers \(metric.text(worst.score.mean)) \(metric.interval(worst.score)) \(metric.ofWhat) at \(worst.panel.title) "
      + "\(worst.noise.phrase): the most that leaked in any setting tested."
    var details: [String] = []
    let documents = worst.score.n == 1 ? "1 document" : "\(worst.score.n) documents"
    let seeds = findings.seeds.isEmpty ? "" : ", seed \(findings.seeds.joined(separator: ", "))"
    details.append(
      "Attack \(findings.label(worst.attack)), n = \(documents)\(seeds); in brackets the 95 % interval over documents.")
    let ahead = findings.ahead(worst.panel, worst.noise, metric).map {
      "\(findings.label($0.attack)) \(metric.text($0.score.mean)) of \($0.score.n)"
    }
    if !ahead.isEmpty { details.append("On fewer documents there: \(ahead.joined(separator: ", ")).") }
    let bests = findings.panels.flatMap { panel in findings.noises(in: panel).compactMap { findings.best(panel, $0, metric)?.score.mean } }
    let ties = bests.count { metric.text($0) == metric.text(worst.score.mean) }
    if ties > 1 { details.append("\(ties) of the \(bests.count) settings tested reach that value.") }
    if let guess = findings.best(worst.panel, worst.noise, metric, baselines: true) {
      details.append(
        "The best guess that never looks at the hidden states (\(guess.attack.name)) reaches \(metric.text(guess.score.mean)) "
          + "\(metric.interval(guess.score)) there.")
    }
    if let least = Self.extreme(findings, metric, most: false), least.panel != worst.panel || least.noise != worst.noise {
      details.append(Self.leastLeaking(least, metric, record, findings))
    }
    if !record.complete { details.append("The run did not finish: settings that are missing here may leak more.") }
    details.append("These are lower bounds: they say what the attacks that were run achieved, not what a better attack could.")
    self.details = details
  }

  private struct Extreme {
    var panel: Findings.Panel
    var noise: NoisePoint
    var attack: AttackName
    var score: Score
  }

  /// The cell whose strongest attack leaks the most, or the least.
  private static func extreme(_ findings: Findings, _ metric: Metric, most: Bool) -> Extreme? {
    var found: Extreme?
    for panel in findings.panels {
      for noise in findings.noises(in: panel) {
        guard let best = findings.best(panel, noise, metric) else { continue }
        let wins = found.map { most ? best.score.leaksMore(than: $0.score) : $0.score.leaksMore(than: best.score) } ?? true
        if wins { found = Extreme(panel: panel, noise: noise, attack: best.attack, score: best.score) }
      }
    }
    return found
  }

  private static func leastLeaking(_ least: Extreme, _ metric: Metric, _ record: AuditRecord, _ findings: Findings) -> String {
    var text =
      "The setting that leaked least, \(least.panel.title) \(least.noise.phrase), still gave up \(metric.text(least.score.mean)) "
      + metric.interval(least.score)
    if let guess = findings.best(least.panel, least.noise, metric, baselines: true) {
      let isAbove = least.score.higherLeaksMore ? least.score.low > guess.score.high : least.score.high < guess.score.low
      text += isAbove ? ", above" : ", not clearly above"
      text += " the \(metric.text(guess.score.mean)) \(metric.interval(guess.score)) of guessing (\(guess.attack.name))"
    }
    let utility = UtilityScores(record, findings)
    for metric in utility.metrics.prefix(1) {
      guard let cost = utility.value(least.panel, least.noise, metric) else { continue }
      text += ". Its price: \(metric.title.lowercased()) \(metric.text(cost.mean))"
      if !least.noise.isClean, let clean = utility.clean(least.panel, metric) {
        text += " instead of \(metric.text(clean.mean)) without noise"
      }
    }
    return text + "."
  }

  private static func adversary(_ model: ThreatModel) -> String {
    let who =
      switch model.role {
      case .honestButCuriousServer: "the server"
      case .colludingClient: "the server together with another client"
      case .coTenant: "a co-tenant of the server"
      }
    return switch model.knowledge {
    case .k0: "Without any of the client's weights, \(who)"
    case .k1: "With the public base weights, \(who)"
    case .k2: "With exact weights, \(who)"
    case .k3: "With exact weights, labelled pairs and the noise law, \(who)"
    }
  }
}
