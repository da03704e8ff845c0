import Audit

/// What a record says, arranged as reports show it: panels (one per cut and per other swept setting) × noise × attack × metric.
struct Findings: Sendable {
  /// Everything of a cell's settings but noise and seed.
  struct Panel: Sendable, Hashable {
    var inputBlocks: Int?
    /// `p = 1`, with other swept settings if there are any.
    var title: String
  }

  private struct Key: Hashable {
    var panel: String
    var noise: NoisePoint
    var attack: AttackName
    var metric: Metric
  }

  let panels: [Panel]
  /// Levels of the main axis, without noise first.
  let axis: [NoisePoint]
  /// Levels given in other units than the main axis.
  let offAxis: [NoisePoint]
  /// Attacks, strongest first, then baselines.
  let attacks: [AttackName]
  let metrics: [Metric]
  /// The metric that verdicts and curves show; nil without results.
  let primary: Metric?
  let seeds: [String]
  private let scores: [Key: Score]
  private let noises: [String: [NoisePoint]]
  private let cells: [String: (panel: String, noise: NoisePoint)]
  private let sweepKeys: [String]

  init(_ record: AuditRecord) {
    let sweepKeys = Self.sweepKeys(record)
    var groups: [Key: [CellResult]] = [:]
    var panels: [String: Panel] = [:]
    var noises: [String: [NoisePoint: NoisePoint]] = [:]
    var cells: [String: (panel: String, noise: NoisePoint)] = [:]
    for result in record.results {
      let panel = Self.panel(result.settings, sweepKeys)
      let noise = NoisePoint(settings: result.settings)
      let attack = AttackName(
        name: result.attack, channel: result.channel, isBaseline: AttackName.isBaseline(result.attack, record))
      let key = Key(panel: panel.title, noise: noise, attack: attack, metric: Metric(name: result.metric))
      groups[key, default: []].append(result)
      panels[panel.title] = panel
      noises[panel.title, default: [:]][noise] = noise
      cells[result.cell] = (panel.title, noise)
    }
    for result in record.utility {
      let (panel, noise) = (Self.panel(result.settings, sweepKeys), NoisePoint(settings: result.settings))
      panels[panel.title] = panels[panel.title] ?? panel
      noises[panel.title, default: [:]][noise] = noise
    }
    let scores = groups.compactMapValues(Score.init)
    self.scores = scores
    self.cells = cells
    self.sweepKeys = sweepKeys
    self.noises = noises.mapValues { $0.values.sorted(by: NoisePoint.ordered) }
    self.panels = panels.values.sorted { ($0.inputBlocks ?? .max, $0.title) < ($1.inputBlocks ?? .max, $1.title) }
    let metrics = Set(groups.keys.map(\.metric))
    let primary = Metric.primary.first(where: metrics.contains) ?? metrics.min { $0.name < $1.name }
    self.primary = primary
    self.metrics = metrics.sorted { $0.name < $1.name }
    let levels = Set(noises.values.flatMap(\.values)).sorted(by: NoisePoint.ordered)
    let counts = Dictionary(grouping: levels.filter { !$0.isClean }, by: \.unit).mapValues(\.count)
    let mainUnit = counts[.relative] != nil ? .relative : NoisePoint.Unit.allCases.max { counts[$0, default: 0] < counts[$1, default: 0] }
    axis = levels.filter { $0.isClean || $0.unit == mainUnit }
    offAxis = levels.filter { !$0.isClean && $0.unit != mainUnit }
    let names = Set(groups.keys.map(\.attack))
    func strength(_ attack: AttackName) -> Double {
      let own = scores.filter { $0.key.attack == attack && $0.key.metric == primary }.values
      let signed = own.map { $0.higherLeaksMore ? $0.mean : -$0.mean }
      return signed.isEmpty ? -.infinity : signed.reduce(0) { $0 + $1 / Double(signed.count) }
    }
    let strengths = Dictionary(uniqueKeysWithValues: names.map { ($0, strength($0)) })
    attacks = names.sorted { a, b in
      if a.isBaseline != b.isBaseline { return b.isBaseline }
      let (x, y) = (strengths[a] ?? 0, strengths[b] ?? 0)
      return x == y ? (a.name, a.channel) < (b.name, b.channel) : x > y
    }
    seeds = Set(record.results.compactMap { $0.settings[SettingKey.seed]?.label }).sorted { ($0.count, $0) < ($1.count, $1) }
  }

  /// The noise levels measured in a panel, without noise first.
  func noises(in panel: Panel) -> [NoisePoint] { noises[panel.title] ?? [] }

  func score(_ panel: Panel, _ noise: NoisePoint, _ attack: AttackName, _ metric: Metric) -> Score? {
    scores[Key(panel: panel.title, noise: noise, attack: attack, metric: metric)]
  }

  /// The attack (or baseline) with the most leakage of `metric` in a cell, of those that read most documents: means over other documents do not
  /// compare. Ties go to the one that is stronger over all.
  func best(_ panel: Panel, _ noise: NoisePoint, _ metric: Metric, baselines: Bool = false) -> (attack: AttackName, score: Score)? {
    let scored = self.scored(panel, noise, metric, baselines: baselines)
    let most = scored.map(\.score.n).max()
    return scored.filter { $0.score.n == most }.reduce(nil) { best, next in
      guard let best, !next.score.leaksMore(than: best.score) else { return next }
      return best
    }
  }

  /// Attacks on fewer documents than the best one read, that read more of these: what they would read of all is not known.
  func ahead(_ panel: Panel, _ noise: NoisePoint, _ metric: Metric) -> [(attack: AttackName, score: Score)] {
    guard let best = best(panel, noise, metric) else { return [] }
    return scored(panel, noise, metric, baselines: false).filter { $0.score.n < best.score.n && $0.score.leaksMore(than: best.score) }
  }

  private func scored(_ panel: Panel, _ noise: NoisePoint, _ metric: Metric, baselines: Bool) -> [(attack: AttackName, score: Score)] {
    attacks.filter { $0.isBaseline == baselines }.compactMap { attack in score(panel, noise, attack, metric).map { (attack, $0) } }
  }

  /// The level in a panel, with that panel's own σ, mean |ε| and SNR (the same relative amount is another σ at another cut).
  func level(_ noise: NoisePoint, in panel: Panel) -> NoisePoint? { noises(in: panel).first { $0 == noise } }

  /// Where a cell of the record belongs.
  func place(ofCell cell: String) -> (panel: Panel, noise: NoisePoint)? {
    guard let place = cells[cell], let panel = panels.first(where: { $0.title == place.panel }) else { return nil }
    return (panel, place.noise)
  }

  func panel(of settings: [String: SettingValue]) -> Panel { Self.panel(settings, sweepKeys) }

  /// How an attack is named where several channels were attacked.
  func label(_ attack: AttackName) -> String {
    let isAmbiguous = attacks.contains { $0.name == attack.name && $0.channel != attack.channel }
    return isAmbiguous ? "\(attack.name) (\(attack.channel))" : attack.name
  }

  /// The settings that tell panels apart: both partition points and whatever else the plan sweeps.
  private static func sweepKeys(_ record: AuditRecord) -> [String] {
    var keys: Set<String> = [SettingKey.inputBlocks]
    if case .map(let plan) = record.plan {
      switch plan["sweep"] {
      case .map(let grid): keys.formUnion(grid.keys)
      case .list(let grids): for case .map(let grid) in grids { keys.formUnion(grid.keys) }
      default: break
      }
    }
    if Set(record.results.compactMap { $0.settings[SettingKey.outputBlocks] }).count > 1 { keys.insert(SettingKey.outputBlocks) }
    let defenses = Set(record.results.compactMap { $0.settings[SettingKey.defense]?.text }).subtracting(["none"])
    if defenses.count < 2 { keys.remove(SettingKey.defense) }
    return keys.subtracting(SettingKey.noise.subtracting([SettingKey.clip, SettingKey.delta])).subtracting([
      SettingKey.seed, "seeds", "defense",
    ]).sorted()
  }

  private static func panel(_ settings: [String: SettingValue], _ keys: [String]) -> Panel {
    let inputBlocks = settings[SettingKey.inputBlocks]?.number.flatMap { Int(exactly: $0) }
    let parts = keys.compactMap { key -> String? in
      guard let value = settings[key] else { return nil }
      switch key {
      case SettingKey.inputBlocks: return "p = \(value.label)"
      case SettingKey.outputBlocks: return "q = \(value.label)"
      default: return "\(key) = \(value.label)"
      }
    }
    return Panel(inputBlocks: inputBlocks, title: parts.isEmpty ? "all cells" : parts.joined(separator: ", "))
  }
}
