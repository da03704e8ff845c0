import Audit

extension MarginHistogram {
  /// L2 norm of a typical state: RMS·√C; the unit of relative margins.
  var stateNorm: Double { rms * Double(channels).squareRoot() }

  var positions: Int { counts.reduce(0) { $0.addingReportingOverflow($1).partialValue } }

  /// Lower edge of the first bin: as far below its upper edge as the second is wide on a logarithmic scale, at least the least margin.
  var firstEdge: Double {
    guard edges.count > 1, edges[0] > 0 else { return 0 }
    return edges[0] * edges[0] / edges[1]
  }

  /// Share of positions whose nearest rival is closer than `distance`, from the histogram, linear within a bin; nil without counts.
  func share(below distance: Double) -> Double? {
    let total = counts.reduce(0) { $0 + Double($1) }
    guard total > 0, distance.isFinite else { return nil }
    var (below, lower) = (0.0, 0.0)
    for (upper, count) in zip(edges, counts) {
      if distance >= upper {
        below += Double(count)
      } else if distance > lower {
        below += Double(count) * (distance - lower) / (upper - lower)
      }
      lower = upper
    }
    return min(1, below / total)
  }
}
