import Audit

/// What the noise costs the task, per panel and noise level, seeds put together.
struct UtilityScores: Sendable {
  struct Value: Sendable, Equatable {
    var mean: Double
    var low: Double
    var high: Double
    var n: Int
  }

  private struct Key: Hashable {
    var panel: Findings.Panel
    var noise: NoisePoint
    var metric: Metric
  }

  let metrics: [Metric]
  private let values: [Key: Value]

  init(_ record: AuditRecord, _ findings: Findings) {
    let groups = Dictionary(grouping: record.utility.filter { $0.mean.isFinite }) {
      Key(panel: findings.panel(of: $0.settings), noise: NoisePoint(settings: $0.settings), metric: Metric(name: $0.metric))
    }
    values = groups.mapValues { results in
      let mean = results.reduce(0) { $0 + $1.mean / Double(results.count) }
      return Value(
        mean: mean, low: results.compactMap(\.ci95.first).filter(\.isFinite).min() ?? mean,
        high: results.compactMap(\.ci95.last).filter(\.isFinite).max() ?? mean, n: results.map(\.n).min() ?? 0)
    }
    metrics = Set(groups.keys.map(\.metric)).sorted { $0.name < $1.name }
  }

  func value(_ panel: Findings.Panel, _ noise: NoisePoint, _ metric: Metric) -> Value? {
    values[Key(panel: panel, noise: noise, metric: metric)]
  }

  /// The cell without noise of the same panel.
  func clean(_ panel: Findings.Panel, _ metric: Metric) -> Value? {
    values.first { $0.key.panel == panel && $0.key.metric == metric && $0.key.noise.isClean }?.value
  }
}
