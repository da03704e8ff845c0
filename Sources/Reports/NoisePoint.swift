import Audit
import Foundation

/// One amount of noise of a sweep, with every unit that the record gives for it.
struct NoisePoint: Sendable, Hashable {
  enum Unit: String, Sendable, CaseIterable {
    case none, relative, meanAbsolute = "mean_abs", sigma, epsilon

    /// The unit as a column or an axis names it.
    var title: String {
      switch self {
      case .none: "no noise"
      case .relative: "relative noise, mean |ε| / mean |h|"
      case .meanAbsolute: "absolute noise, mean |ε|"
      case .sigma: "absolute noise, σ"
      case .epsilon: "ε per token"
      }
    }
  }

  var unit: Unit
  /// In `unit`, six significant digits; 0 for none.
  var amount: Double
  var sigma: Double?
  var meanAbsolute: Double?
  var relative: Double?
  var epsilon: Double?
  var decibels: Double?

  /// From the settings of a cell. Without a stated unit the one that stands alone counts, else `relative`.
  init(settings: [String: SettingValue]) {
    func number(_ key: String) -> Double? { settings[key]?.number.flatMap { $0.isFinite ? $0 : nil } }
    sigma = number(SettingKey.sigma)
    meanAbsolute = number(SettingKey.meanAbsolute)
    relative = number(SettingKey.relative)
    epsilon = number(SettingKey.epsilon)
    decibels = number(SettingKey.signalToNoiseDecibels) ?? number(SettingKey.signalToNoise).flatMap { $0 > 0 ? 10 * log10($0) : nil }
    let given: [(Unit, Double?)] = [(.relative, relative), (.meanAbsolute, meanAbsolute), (.sigma, sigma), (.epsilon, epsilon)]
    let stated = settings[SettingKey.noiseUnit]?.text.flatMap(Unit.init(rawValue:))
    let present = given.filter { $0.1 != nil }
    let chosen = present.first { $0.0 == stated } ?? present.first
    (unit, amount) = (chosen?.0 ?? .none, Self.rounded(chosen?.1 ?? 0))
    let silent = [sigma, meanAbsolute, relative].allSatisfy { ($0 ?? 0) == 0 } && (epsilon == nil || sigma == 0)
    if silent || stated == Unit.none { (unit, amount) = (.none, 0) }
  }

  /// To six significant digits: 0.9 that was converted to σ and back at another cut is the same level.
  private static func rounded(_ value: Double) -> Double {
    guard value != 0, value.isFinite else { return value }
    let power = pow(10, 5 - log10(abs(value)).rounded(.down))
    let result = (value * power).rounded() / power
    return result.isFinite ? result : value
  }

  var isClean: Bool { unit == .none }

  /// `no noise`, `relative 0.9`, `mean |ε| 0.02`, `σ 0.1` or `ε 8`.
  var label: String {
    switch unit {
    case .none: "no noise"
    case .relative: "relative \(NumberText.significant(amount))"
    case .meanAbsolute: "mean |ε| \(NumberText.significant(amount))"
    case .sigma: "σ \(NumberText.significant(amount))"
    case .epsilon: "ε \(NumberText.significant(amount))"
    }
  }

  /// With the amount as part of a sentence: `without noise`, `at relative noise 0.9`.
  var phrase: String {
    switch unit {
    case .none: "without noise"
    case .relative: "at relative noise \(NumberText.significant(amount))"
    default: "at noise of \(label)"
    }
  }

  static func == (a: NoisePoint, b: NoisePoint) -> Bool { a.unit == b.unit && a.amount == b.amount }
  func hash(into hasher: inout Hasher) {
    hasher.combine(unit)
    hasher.combine(amount)
  }

  /// No noise first, then by unit and amount.
  static func ordered(_ a: NoisePoint, _ b: NoisePoint) -> Bool {
    let (i, j) = (Unit.allCases.firstIndex(of: a.unit) ?? 0, Unit.allCases.firstIndex(of: b.unit) ?? 0)
    return i == j ? a.amount < b.amount : i < j
  }
}
