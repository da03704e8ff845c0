import Audit

extension AuditRecord {
  /// The first thing that makes the record's numbers meaningless, as a sentence, or nil: lengths that do not fit, intervals upside down,
  /// negative counts, numbers that are not finite.
  func firstProblem() -> String? {
    for (index, result) in results.enumerated() {
      let numbers = [result.mean, result.stderr, result.seconds, result.gainOverBaseline ?? 0] + result.ci95
      if let problem = problem(numbers, interval: result.ci95, n: result.n, settings: result.settings) {
        return "results[\(index)]: \(problem)"
      }
      if let interval = result.gainCI95, let problem = problem(interval, interval: interval, n: result.n, settings: [:]) {
        return "results[\(index)].gain_ci95: \(problem)"
      }
    }
    if let problem = controlsProblem { return problem }
    for (index, result) in (inference ?? []).enumerated() {
      if let problem = result.problem { return "inference[\(index)]: \(problem)" }
      if let key = result.settings.filter({ !$0.value.isFinite }).keys.min() { return "inference[\(index)].settings.\(key) is not finite" }
    }
    for (index, result) in utility.enumerated() {
      if let problem = problem([result.mean] + result.ci95, interval: result.ci95, n: result.n, settings: result.settings) {
        return "utility[\(index)]: \(problem)"
      }
    }
    for (index, margin) in margins.enumerated() {
      if let problem = margin.firstProblem() { return "margins[\(index)]: \(problem)" }
    }
    if let key = timings.filter({ !$0.value.isFinite }).keys.min() { return "timings.\(key) is not a finite number" }
    if !plan.isFinite { return "plan holds a number that is not finite" }
    if !defense.isFinite { return "defense holds a number that is not finite" }
    if checkpoint.parameters < 0 || checkpoint.blocks < 0 { return "checkpoint counts are negative" }
    if dataset.documents < 0 || dataset.tokens < 0 { return "dataset counts are negative" }
    return nil
  }
}

extension AuditRecord {
  /// What contradicts itself in the controls and the verdict on them.
  private var controlsProblem: String? {
    for (index, control) in (controls?.plantedLeaks ?? []).enumerated() {
      if ![control.accuracy, control.threshold].allSatisfy({ (0...1).contains($0) }) {
        return "controls.planted_leak[\(index)]: an accuracy is outside 0…1"
      }
      if control.found != (control.accuracy >= control.threshold) {
        return "controls.planted_leak[\(index)]: found contradicts the accuracy"
      }
    }
    for (index, control) in (controls?.shuffled ?? []).enumerated() {
      if ![control.accuracy, control.chance].allSatisfy({ (0...1).contains($0) }) {
        return "controls.shuffled[\(index)]: an accuracy is outside 0…1"
      }
      if control.passed != (control.accuracy <= control.chance) { return "controls.shuffled[\(index)]: passed contradicts the accuracy" }
    }
    if valid != controls.map(\.problems.isEmpty) { return "valid contradicts the controls" }
    if let valid, valid != (invalidReasons ?? []).isEmpty { return "valid contradicts invalid_reasons" }
    if eligible && valid == false { return "an invalid run is said to be eligible" }
    return nil
  }
}

private func problem(_ numbers: [Double], interval: [Double], n: Int, settings: [String: SettingValue]) -> String? {
  if !numbers.allSatisfy(\.isFinite) { return "a number is not finite" }
  if interval.count != 2 { return "ci95 has \(interval.count) numbers, expected 2" }
  if interval[0] > interval[1] { return "ci95 is upside down: \(interval[0]) > \(interval[1])" }
  if n < 0 { return "n is \(n)" }
  if let key = settings.filter({ !$0.value.isFinite }).keys.min() { return "settings.\(key) is not a finite number" }
  return nil
}

extension MarginHistogram {
  /// Why the histogram cannot be drawn, or nil.
  func firstProblem() -> String? {
    if inputBlocks < 0 || channels <= 0 { return "input_blocks \(inputBlocks) and channels \(channels) make no cut" }
    if quantiles.count != 7 { return "\(quantiles.count) quantiles, expected 7" }
    if edges.count != counts.count { return "\(edges.count) edges for \(counts.count) counts" }
    if !(quantiles + edges + [rms]).allSatisfy({ $0.isFinite && $0 >= 0 }) { return "a distance is negative or not finite" }
    if zip(quantiles, quantiles.dropFirst()).contains(where: >) { return "the quantiles decrease" }
    if zip(edges, edges.dropFirst()).contains(where: >=) { return "the edges do not increase" }
    if counts.contains(where: { $0 < 0 }) { return "a count is negative" }
    if counts.reduce((0, false), { ($0.0.addingReportingOverflow($1).partialValue, $0.1 || $0.0.addingReportingOverflow($1).overflow) }).1 {
      return "the counts overflow"
    }
    return nil
  }
}

extension SettingValue {
  fileprivate var isFinite: Bool {
    switch self {
    case .null, .bool, .string: true
    case .number(let number): number.isFinite
    case .list(let list): list.allSatisfy(\.isFinite)
    case .map(let map): map.values.allSatisfy(\.isFinite)
    }
  }
}
