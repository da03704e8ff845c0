/// How one attack is drawn: colour class, marker and dash, so that it can be told apart without colour too.
struct SeriesStyle: Sendable, Equatable {
  /// CSS classes that set `--ink` (see `ReportStyle`).
  var classes: String
  var marker: Int
  var dash: String?
  var width: Double

  /// `rank` counts attacks and baselines apart; the first attack is the emphasised one.
  init(rank: Int, isBaseline: Bool) {
    if isBaseline {
      (classes, marker, dash, width) = ("base", -1, ["5 4", "1.5 3", "9 3 2 3"][rank % 3], 1.2)
    } else {
      (classes, marker, dash, width) = ("s\(rank % 7)", rank % 6, nil, rank == 0 ? 2.6 : 1.3)
    }
  }

  /// The styles of the attacks in `Findings` order.
  static func all(_ attacks: [AttackName]) -> [(attack: AttackName, style: SeriesStyle)] {
    let first = attacks.firstIndex(where: \.isBaseline) ?? attacks.count
    return attacks.enumerated().map { index, attack in
      (attack, SeriesStyle(rank: attack.isBaseline ? index - first : index, isBaseline: attack.isBaseline))
    }
  }

  /// The marker at a point; baselines have none.
  func mark(_ x: Double, _ y: Double) -> Markup {
    let r = width > 2 ? 4.0 : 3.2
    func c(_ value: Double) -> String { NumberText.coordinate(value) }
    func path(_ points: [(Double, Double)]) -> Markup {
      "<path class=\"mark\" d=\"M\(points.map { "\(c(x + $0.0 * r)) \(c(y + $0.1 * r))" }.joined(separator: "L"))Z\"/>"
    }
    switch marker {
    case 0: return "<circle class=\"mark\" cx=\"\(c(x))\" cy=\"\(c(y))\" r=\"\(c(r))\"/>"
    case 1: return path([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])
    case 2: return path([(0, -1.15), (1.1, 0.85), (-1.1, 0.85)])
    case 3: return path([(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)])
    case 4: return path([(0, 1.15), (1.1, -0.85), (-1.1, -0.85)])
    case 5: return "<circle class=\"mark hollow\" cx=\"\(c(x))\" cy=\"\(c(y))\" r=\"\(c(r))\"/>"
    default: return ""
    }
  }

  /// A short line with the marker for a legend.
  var swatch: Markup {
    """
    <svg class="swatch \(classes)" viewBox="0 0 34 12" width="34" height="12" aria-hidden="true">\(line("M1 6H33"))\(mark(17, 6))</svg>
    """
  }

  /// A stroked path in this style.
  func line(_ d: String) -> Markup {
    let dashed: Markup = dash.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    return "<path class=\"line\" d=\"\(d)\" stroke-width=\"\(NumberText.coordinate(width))\"\(dashed)/>"
  }
}
