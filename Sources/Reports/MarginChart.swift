import Audit
import Foundation

/// Distances from the true state to that of the nearest rival token at one cut, as SVG: a histogram over a logarithmic axis in activation
/// units (below) and in units of RMS·√C (above), with a line at 2σ for each noise level.
struct MarginChart {
  var margin: MarginHistogram
  var levels: [NoisePoint]

  private static let (width, left, right, top, plotHeight, bottom) = (380.0, 56.0, 12.0, 52.0, 150.0, 40.0)

  /// Nil if the histogram has no counts or no positive edge.
  func svg() -> Markup? {
    let bins = zip([max(margin.firstEdge, 1e-12)] + margin.edges, zip(margin.edges, margin.counts)).map {
      (lower: $0, upper: $1.0, count: $1.1)
    }
    .filter { $0.upper > 0 && $0.upper.isFinite && $0.upper > $0.lower }
    let tallest = bins.map { Double($0.count) }.max() ?? 0
    guard let first = bins.first(where: { $0.count > 0 }), let last = bins.last(where: { $0.count > 0 }), tallest > 0 else { return nil }
    let sigmas = levels.compactMap { level in level.sigma.flatMap { $0 > 0 && $0 < 1e100 ? (level, 2 * $0) : nil } }
    let low = log10(max(1e-12, min(first.lower, (sigmas.map(\.1).min() ?? first.lower) * 0.8)))
    let high = log10(max(last.upper, (sigmas.map(\.1).max() ?? last.upper) * 1.25))
    guard high > low, high.isFinite else { return nil }
    func x(_ distance: Double) -> Double {
      Self.left + (Self.width - Self.left - Self.right) * min(1, max(0, (log10(max(distance, 1e-300)) - low) / (high - low)))
    }
    func y(_ count: Double) -> Double { Self.top + Self.plotHeight * (1 - count / tallest) }
    var out: Markup = ""
    for bin in bins where bin.count > 0 {
      out += """
        <rect class="bin" x="\(c(x(bin.lower) + 0.5))" y="\(c(y(Double(bin.count))))" width="\(c(max(1, x(bin.upper) - x(bin.lower) - 1)))" \
        height="\(c(max(0.5, Self.top + Self.plotHeight - y(Double(bin.count)))))"/>
        """
    }
    out += frame(tallest, y) + ticks(low, high, x) + lines(sigmas, x)
    let label = "Distance to the nearest rival token at p = \(margin.inputBlocks): median \(NumberText.significant(margin.quantiles[3]))."
    return """
      <svg class="chart" viewBox="0 0 \(c(Self.width)) \(c(Self.top + Self.plotHeight + Self.bottom))" role="img" aria-label="\(label)">\(out)</svg>
      """
  }

  private func frame(_ tallest: Double, _ y: (Double) -> Double) -> Markup {
    """
    <path class="axis" d="M\(c(Self.left)) \(c(y(0)))H\(c(Self.width - Self.right))"/>\
    <path class="grid" d="M\(c(Self.left)) \(c(Self.top))H\(c(Self.width - Self.right))"/>\
    <text class="tick end" x="\(c(Self.left - 7))" y="\(c(y(0) + 3.5))">0</text>\
    <text class="tick end" x="\(c(Self.left - 7))" y="\(c(Self.top + 3.5))">\(NumberText.significant(tallest, 4))</text>\
    <text class="tick faint end" x="\(c(Self.left - 7))" y="\(c(Self.top + Self.plotHeight + 18))">L2</text>\
    <text class="tick faint end" x="\(c(Self.left - 7))" y="\(c(Self.top + Self.plotHeight + 33))">÷ RMS√C</text>
    """
  }

  private func ticks(_ low: Double, _ high: Double, _ x: (Double) -> Double) -> Markup {
    let (first, last) = (Int(low.rounded(.down)), Int(high.rounded(.up)))
    let multiples: [Double] = high - low < 2.2 ? [1, 2, 5] : (high - low < 4 ? [1, 3] : [1])
    let stride = max(1, Int(((high - low) / 8).rounded(.up)))
    let values = Swift.stride(from: first, through: last, by: stride).flatMap { power in multiples.map { $0 * pow(10, Double(power)) } }
      .filter { (low...high).contains(log10($0)) }
    var out: Markup = ""
    for value in values {
      let base = Self.top + Self.plotHeight
      out += """
        <path class="axis" d="M\(c(x(value))) \(c(base))v4"/><text class="tick mid" x="\(c(x(value)))" y="\(c(base + 18))">\
        \(NumberText.significant(value))</text>
        """
      if margin.stateNorm > 0 {
        let relative = NumberText.significant(value / margin.stateNorm, 2)
        out += "<text class=\"tick faint mid\" x=\"\(c(x(value)))\" y=\"\(c(base + 33))\">\(relative)</text>"
      }
    }
    return out
  }

  /// A line at 2σ per level, the labels on two rows so that neighbours do not touch.
  private func lines(_ sigmas: [(NoisePoint, Double)], _ x: (Double) -> Double) -> Markup {
    var out: Markup = ""
    for (index, (level, distance)) in sigmas.enumerated() {
      let row = 14.0 + (index % 2 == 0 ? 0 : 14)
      let px = min(max(x(distance), Self.left + 6), Self.width - Self.right - 6)
      out += """
        <path class="noise" d="M\(c(x(distance))) \(c(row + 4))V\(c(Self.top + Self.plotHeight))"/>\
        <text class="tick noise-label mid" x="\(c(px))" y="\(c(row))">2σ, \(level.label)</text>
        """
    }
    return out
  }

  private func c(_ value: Double) -> String { NumberText.coordinate(value) }
}

extension Markup {
  static func + (a: Markup, b: Markup) -> Markup { "\(a)\(b)" }
}
