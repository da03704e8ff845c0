import Audit
import Foundation

/// A made-up record with the shape of a real run. Its numbers come from smooth formulas, measure nothing and must never leave the tests.
enum SyntheticRecord {
  static let attacks: [(name: String, clean: Double, halving: Double)] = [
    ("sequential-matching", 1, 3.4), ("anchors", 0.93, 1.6), ("nearest-embedding-cosine", 0.71, 1.2), ("nearest-embedding-l2", 0.55, 0.9),
    ("head-reading", 0.34, 1.1), ("language-model", 0.081, .infinity), ("unigram", 0.046, .infinity), ("uniform", 0.00002, .infinity),
  ]
  static let relative = [0, 0.9, 2.3, 4.5]
  static let absolute = [0.02, 0.05, 0.1]
  static let meanState = [1: 1.16, 2: 1.57, 3: 1.86]

  static func record(complete: Bool = true, cuts: [Int] = [1, 2, 3], documents: Int = 12) -> AuditRecord {
    var record = AuditRecord(
      runID: "synthetic-20260101T000000Z", complete: complete, eligible: complete, created: "2026-01-01T00:00:00Z", plan: plan(cuts),
      planSHA256: hash("a"), versions: ["fedsea-audit": "0.1.0", "swift": "6.3.1"], commit: hash("c").prefix(40).description,
      host: HostDescription(cpu: "Synthetic CPU", threads: 2, engine: "oneDNN 2.6.3 avx512"),
      checkpoint: CheckpointDescription(
        name: "smollm2-135m-instruct", sha256: hash("b"), tokenizerSHA256: hash("d"), parameters: 134_515_008, blocks: 30),
      dataset: DatasetDescription(name: "synthetic numbers, not a measurement", sha256: hash("e"), documents: documents, tokens: 571),
      threatModel: ThreatModel(
        role: .honestButCuriousServer, knowledge: .k2, channels: [.inputHiddenStates, .outputHiddenStates, .lengths], auxiliary: "sotu"),
      defense: .map(["name": .string("gaussian-noise"), "relative": .list(relative.map(SettingValue.number))]),
      timings: ["attacks": 171.4, "forward": 2.9, "load": 0.41],
      invocation: ["fedsea-audit", "run", "attacks/quickstart.yaml", "--output", "notebooks-data/quickstart"],
      attacks: attacks.map { attack in
        MethodDescription(
          name: attack.name, summary: "synthetic description of \(attack.name)",
          paper: attack.halving.isFinite ? "nobody, 2026" : "control",
          cost: "none", knowledge: .k2, channels: [.inputHiddenStates], isBaseline: !attack.halving.isFinite)
      })
    for p in cuts {
      for settings in levels(p) { add(settings, p, documents, to: &record) }
      record.margins.append(margin(p))
    }
    return record
  }

  static func samples(_ record: AuditRecord, truth: String, guess: String) -> [SampleRecord] {
    let cells = Set(record.results.map(\.cell)).sorted()
    return cells.flatMap { cell in
      (0..<2).flatMap { document in
        ["sequential-matching", "anchors"].map { attack in
          let right = 17 + 9 * document
          return SampleRecord(
            cell: cell, document: document, attack: attack, channel: Channel.inputHiddenStates.rawValue, tokens: 40, matchingTokens: right,
            matches: String((0..<40).map { ($0 * 7) % 40 < right ? "1" : "0" }), truthText: truth, guessText: guess)
        }
      }
    }
  }

  private static func plan(_ cuts: [Int]) -> SettingValue {
    .map([
      "plan": .string("quickstart"), "version": .number(1),
      "description": .string("Synthetic numbers in the shape of the quickstart audit."),
      "model": .map(["checkpoint": .string("smollm2-135m-instruct"), "partition": .map(["output": .number(1)])]),
      "sweep": .list([
        .map([
          "model.partition.input": .list(cuts.map { .number(Double($0)) }), "defense.relative": .list(relative.map(SettingValue.number)),
        ]),
        .map([
          "model.partition.input": .list(cuts.map { .number(Double($0)) }), "defense.mean_abs": .list(absolute.map(SettingValue.number)),
        ]),
      ]),
      "seeds": .list([.number(1)]),
    ])
  }

  private static func levels(_ p: Int) -> [[String: SettingValue]] {
    let mean = meanState[p] ?? 2
    func settings(_ unit: String, _ meanAbsolute: Double) -> [String: SettingValue] {
      let sigma = meanAbsolute * (Double.pi / 2).squareRoot()
      var out: [String: SettingValue] = [
        SettingKey.inputBlocks: .number(Double(p)), SettingKey.outputBlocks: .number(1), SettingKey.seed: .number(1),
        SettingKey.defense: .string(meanAbsolute == 0 ? "none" : "gaussian-noise"), SettingKey.noiseUnit: .string(unit),
        SettingKey.sigma: .number(sigma), SettingKey.meanAbsolute: .number(meanAbsolute), SettingKey.relative: .number(meanAbsolute / mean),
      ]
      if sigma > 0 { out[SettingKey.signalToNoiseDecibels] = .number(20 * log10(1.9 * mean / sigma)) }
      return out
    }
    return relative.map { amount in
      var out = settings(amount == 0 ? "none" : "relative", amount * mean)
      out[SettingKey.relative] = .number(amount * (1 + 1e-12 * Double(p)))
      return out
    } + absolute.map { settings("mean_abs", $0) }
  }

  private static func add(_ settings: [String: SettingValue], _ p: Int, _ documents: Int, to record: inout AuditRecord) {
    let amount = settings[SettingKey.relative]?.number ?? 0
    let unit = settings[SettingKey.noiseUnit]?.text ?? ""
    let cell = "p\(p)-\(unit)-\(NumberFormat.short(settings[SettingKey.meanAbsolute]?.number ?? 0))-s1"
    for attack in attacks {
      let depth = attack.halving.isFinite ? pow(attack.name == "sequential-matching" ? 1 : 0.72, Double(p - 1)) : 1
      let accuracy = 0.03 * (attack.halving.isFinite ? 1 : 0) + 0.97 * attack.clean * depth / (1 + pow(amount / attack.halving, 3))
      let spread = 0.5 * (accuracy * (1 - accuracy) / Double(max(1, documents))).squareRoot()
      let gain = attack.halving.isFinite ? accuracy - 0.081 : nil
      let metrics: [(String, Double)] = [
        ("token_accuracy", accuracy), ("exact_match", pow(accuracy, 20)), ("bits_per_token", 11 * accuracy), ("rouge1_f", accuracy * 0.98),
        ("rouge2_f", accuracy * accuracy), ("rougeL_f", accuracy * 0.95), ("bleu4", pow(accuracy, 4)),
      ]
      for (metric, mean) in metrics {
        let top = metric == "bits_per_token" ? 15.0 : 1.0
        record.results.append(
          CellResult(
            cell: cell, settings: settings, channel: Channel.inputHiddenStates.rawValue, attack: attack.name, metric: metric, mean: mean,
            ci95: [max(0, mean - 1.96 * spread), min(top, mean + 1.96 * spread)], stderr: spread, n: documents, higherLeaksMore: true,
            gainOverBaseline: metric == "token_accuracy" ? gain : nil, seconds: 0.3 + 12 * attack.clean))
      }
    }
    let perplexity = 21.4 * (1 + 0.9 * amount * amount)
    record.utility.append(
      UtilityResult(
        cell: cell, settings: settings, metric: "perplexity", mean: perplexity, ci95: [perplexity * 0.86, perplexity * 1.17], n: documents))
  }

  private static func margin(_ p: Int) -> MarginHistogram {
    let median: Double = [1: 19.0, 2: 14, 3: 11][p] ?? 9
    let edges: [Double] = (1...24).map { 0.8 * pow(1.22, Double($0)) }
    let counts: [Int] = edges.map { Int(90 * exp(-pow(log($0 / median), 2) / 0.35)) }
    return MarginHistogram(
      inputBlocks: p, quantiles: [0.1, 0.35, 0.7, 1, 1.4, 2.4, 4].map { $0 * median }, rms: 1.9 * (meanState[p] ?? 2), channels: 576,
      edges: edges,
      counts: counts)
  }

  private static func hash(_ digit: String) -> String { String(repeating: digit, count: 64) }
}

private enum NumberFormat {
  static func short(_ value: Double) -> String { String(format: "%.4g", value) }
}
