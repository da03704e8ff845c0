import Foundation

/// Numbers as people read them: the same on every machine, a real minus sign, `–` for what is not a finite number.
package enum NumberText {
  package static let missing = "–"

  /// Fixed number of decimals.
  package static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return missing }
    let text = String(format: "%.\(max(0, decimals))f", value)
    let isZero = !text.contains { ("1"..."9").contains($0) }
    return value < 0 ? (isZero ? String(text.dropFirst()) : "−" + text.dropFirst()) : text
  }

  /// `digits` significant digits, without an exponent between 10⁻⁴ and 10⁶; trailing zeros after the point go.
  package static func significant(_ value: Double, _ digits: Int = 3) -> String {
    guard value.isFinite else { return missing }
    guard value != 0 else { return "0" }
    let exponent = Int(log10(abs(value)).rounded(.down))
    guard (-4..<6).contains(exponent) else {
      return String(format: "%.\(max(0, digits - 1))e", value).replacingOccurrences(of: "-", with: "−")
    }
    var text = fixed(value, max(0, digits - 1 - exponent))
    if text.contains(".") {
      while text.hasSuffix("0") { text.removeLast() }
      if text.hasSuffix(".") { text.removeLast() }
    }
    return text
  }

  /// Three significant digits with their trailing zeros, for columns: `2.10`, `10.5`, `411`; 0 is `0`.
  package static func figures(_ value: Double, _ digits: Int = 3) -> String {
    guard value.isFinite else { return missing }
    guard value != 0 else { return "0" }
    let exponent = Int(log10(abs(value)).rounded(.down))
    return (-4..<6).contains(exponent) ? fixed(value, max(0, digits - 1 - exponent)) : significant(value, digits)
  }

  /// A fraction as `97.9 %` (narrow no-break space).
  package static func percent(_ fraction: Double, _ decimals: Int = 1) -> String {
    fraction.isFinite ? percentNumber(fraction, decimals) + "\u{202F}%" : missing
  }

  /// `[95.2–100]`, the bounds of an interval of fractions in per cent.
  package static func percentInterval(_ low: Double, _ high: Double) -> String {
    low.isFinite && high.isFinite ? "[\(percentNumber(low, 1))–\(percentNumber(high, 1))]" : "[no interval]"
  }

  /// A difference of fractions in percentage points with its sign: `+12.3`.
  package static func points(_ difference: Double) -> String {
    let text = fixed(100 * difference, 1)
    return difference > 0 && text != "0.0" ? "+" + text : text
  }

  /// Whole numbers in groups of three: `49 152`.
  package static func grouped(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var out = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { out += "\u{202F}" }
      out.append(digit)
    }
    return value < 0 ? "−" + out : out
  }

  /// Seconds as `0.42 s`, `35 s` or `4 min 10 s`.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return missing }
    if seconds < 10 { return significant(seconds, 2) + "\u{202F}s" }
    let whole = Int(seconds.rounded())
    return whole < 120 ? "\(whole)\u{202F}s" : "\(whole / 60)\u{202F}min \(whole % 60)\u{202F}s"
  }

  /// A coordinate of a drawing, two decimals, within ±100,000.
  package static func coordinate(_ value: Double) -> String {
    guard value.isFinite else { return "0" }
    let clamped = (min(max(value, -100_000), 100_000) * 100).rounded() / 100
    return clamped == clamped.rounded() ? String(Int(clamped)) : String(clamped)
  }

  private static func percentNumber(_ fraction: Double, _ decimals: Int) -> String {
    let text = fixed(100 * fraction, decimals)
    return text.hasPrefix("100.") && text.dropFirst(4).allSatisfy { $0 == "0" } ? "100" : text
  }
}
