import Audit

extension HTMLReport {
  /// Command, hashes, versions, machine.
  var reproduce: Markup {
    let command =
      record.invocation.map { $0.map(shellQuoted).joined(separator: " ") } ?? "fedsea-audit run plan.yaml   # the plan under Full settings"
    let versions = record.versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    let rows: [(String, Markup)] = [
      ("Run", "<code>\(record.runID)</code>"), ("Commit", "<code>\(record.commit)</code>"),
      ("Versions", "\(versions.isEmpty ? "–" : versions)"),
      ("Plan, SHA-256", "<code>\(record.planSHA256)</code>"), ("Checkpoint, SHA-256", "<code>\(record.checkpoint.sha256)</code>"),
      ("Tokenizer, SHA-256", "<code>\(record.checkpoint.tokenizerSHA256)</code>"),
      ("Data, SHA-256", "<code>\(record.dataset.sha256)</code>"),
      ("Seed", "\(findings.seeds.isEmpty ? "not stated" : findings.seeds.joined(separator: ", "))"),
      ("Machine", "\(record.host.cpu), \(record.host.threads) threads, \(record.host.engine)"),
    ]
    return """
      <pre>\(command)</pre>
      <dl class="plain">\(rows.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>" as Markup })</dl>
      <p class="note">The same plan, seed and commit on the same machine give the same numbers; another processor may differ in the last digits.</p>
      """
  }

  /// What a reader must not conclude.
  var limits: Markup {
    "<ul>\(Self.caveats(record, findings).map { "<li>\($0)</li>" as Markup })</ul>"
  }

  /// Caveats that follow from the record, most binding first.
  static func caveats(_ record: AuditRecord, _ findings: Findings) -> [String] {
    var out: [String] = []
    if !record.complete { out.append("The run is partial; nothing can be concluded about settings without a result.") }
    out.append("Attack success is a lower bound on leakage. Low success means that these attacks failed, not that the text is safe.")
    if let n = record.results.map(\.n).min(), let most = record.results.map(\.n).max() {
      out.append(
        "Intervals are bootstrap intervals over \(n == most ? "" : "\(n) to ")\(most) document\(most == 1 ? "" : "s"): they describe texts like these, and are rough "
          + (n < 30 ? "at so few." : "where scores sit near 0 or 100\u{202F}%."))
    }
    if findings.seeds.count < 3 {
      out.append(
        "Noise was drawn with \(findings.seeds.count <= 1 ? "one seed" : "\(findings.seeds.count) seeds"); the spread between draws is not shown."
      )
    }
    out.append("“Best attack” is the best of several, which flatters it slightly.")
    out.append(
      "Gaussian noise without a clip gives no differential privacy, and results for one model, cut and language do not carry over to others."
    )
    if let model = findings.panels.isEmpty ? nil : record.threatModel.knowledge {
      out.append("The adversary is the one described above (\(model.rawValue)); one who knows or sees more may recover more.")
    }
    if !record.eligible {
      out.append("The run is not eligible for a leaderboard: it is partial, a control failed, or a flag changed the protocol.")
    }
    return out
  }

  /// The plan, the defense and the timings, whole.
  var settings: Markup {
    let timings = record.timings.sorted { $0.key < $1.key }.map { "<dt>\($0.key)</dt><dd>\(NumberText.duration($0.value))</dd>" as Markup }
    let times: Markup = timings.isEmpty ? "" : "<h3>Timings</h3><dl class=\"plain\">\(timings)</dl>"
    return """
      <h3>Plan as it ran</h3><pre>\(record.plan.prettyJSON)</pre><h3>Defense</h3><pre>\(record.defense.prettyJSON)</pre>\(times)
      """
  }
}

/// An argument as a POSIX shell needs it.
func shellQuoted(_ argument: String) -> String {
  let isPlain =
    !argument.isEmpty
    && argument.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || "0123456789-_=./:,@%+".unicodeScalars.contains($0))
    }
  return isPlain ? argument : "'" + argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

extension SettingValue {
  /// Indented JSON with sorted keys, which is YAML too. Numbers that are not finite show as `null`.
  var prettyJSON: String { json(indent: 0) }

  private func json(indent: Int) -> String {
    let (pad, end) = (String(repeating: "  ", count: indent + 1), String(repeating: "  ", count: indent))
    switch self {
    case .null: return "null"
    case .number(let number): return number.isFinite ? label : "null"
    case .bool: return label
    case .string(let text): return Self.quoted(text)
    case .list(let list):
      let isFlat = list.allSatisfy { if case .list = $0 { false } else if case .map = $0 { false } else { true } }
      if isFlat { return "[" + list.map { $0.json(indent: 0) }.joined(separator: ", ") + "]" }
      return "[\n" + list.map { pad + $0.json(indent: indent + 1) }.joined(separator: ",\n") + "\n\(end)]"
    case .map(let map):
      if map.isEmpty { return "{}" }
      let lines = map.sorted { $0.key < $1.key }.map { "\(pad)\(Self.quoted($0.key)): \($0.value.json(indent: indent + 1))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(end)}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      default:
        if scalar.value < 0x20 {
          let hex = String(scalar.value, radix: 16)
          out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + "\""
  }
}
