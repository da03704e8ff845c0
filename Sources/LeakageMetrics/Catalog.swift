import Diagnostics
import PrivateText

/// Every leakage metric, one line each. A new metric is one file here and one line below.
package enum MetricCatalog {
  package static let all: [any LeakageMetric] =
    general + PrivateEntity.Kind.allCases.map { PIIRecall(kind: $0) } + PrivateEntity.Kind.allCases.map { FuzzyPIIRecall(kind: $0) }

  private static let general: [any LeakageMetric] = [
    TokenAccuracy(),
    ExactMatch(),
    RougeN(order: 1),
    RougeN(order: 2),
    RougeL(),
    MatchedRouge(),
    CorpusBLEU(),
    UnsmoothedBLEU(),
    BagF1(),
    TokenEditDistance(),
    CharacterEditDistance(),
    BitsPerToken(),
    RareTokenAccuracy(),
    ContentWordAccuracy(),
    ResponseAccuracy(),
    LabelAccuracy(),
    PIIRecall(),
    FuzzyPIIRecall(),
    CanaryExposure(),
  ]

  /// The metric with this name.
  ///
  /// - Throws: `Fault` with the nearest name.
  package static func named(_ name: String) throws -> any LeakageMetric {
    if let metric = all.first(where: { $0.descriptor.name == name }) { return metric }
    throw Fault(.invalidData, "unknown metric \"\(name)\"", hint: nameHint(name, among: all.map(\.descriptor.name)))
  }
}
