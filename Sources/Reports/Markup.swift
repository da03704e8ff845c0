/// HTML or SVG source in which literals stand as written and every interpolated text is escaped.
///
/// `"<td>\(name)</td>" as Markup` cannot be broken out of by `name`, in an element or in a double-quoted attribute. Only `String`, `Int` and
/// `Markup` can be interpolated: a `Double` has to pass `NumberText` first, so that no NaN reaches a page.
package struct Markup: Sendable, ExpressibleByStringInterpolation {
  package private(set) var source: String

  package init(stringLiteral value: String) { source = value }
  package init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }
  package init() { source = "" }

  package static func += (left: inout Markup, right: Markup) { left.source += right.source }

  package struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var source = ""

    package init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(literalCapacity + 16 * interpolationCount) }
    package mutating func appendLiteral(_ literal: String) { source += literal }
    package mutating func appendInterpolation(_ text: String) { appendEscaped(text, to: &source) }
    package mutating func appendInterpolation(_ number: Int) { source += String(number) }
    package mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
    package mutating func appendInterpolation(_ parts: [Markup]) { for part in parts { source += part.source } }
  }
}

private func appendEscaped(_ text: String, to out: inout String) {
  for scalar in visibleScalars(text).unicodeScalars {
    switch scalar {
    case "&": out += "&amp;"
    case "<": out += "&lt;"
    case ">": out += "&gt;"
    case "\"": out += "&quot;"
    case "'": out += "&#39;"
    default: out.unicodeScalars.append(scalar)
    }
  }
}
