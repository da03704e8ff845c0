import Diagnostics

/// An amount of Gaussian noise, always with its unit: a bare number means nothing across models and cuts.
package enum NoiseLevel: Sendable, Hashable {
  case none
  /// Mean absolute value of the noise, in activation units (FedSEA's figure).
  case meanAbsolute(Double)
  /// Standard deviation of the noise per coordinate, in activation units.
  case sigma(Double)
  /// mean|noise| / mean|state|, the state measured at that cut on public text.
  case relative(Double)
  /// (ε, δ)-differential privacy per token: every state is clipped to the L2 norm `clip`, one token may be substituted for another.
  case epsilon(Double, delta: Double, clip: Double)
}

extension NoiseLevel {
  /// Keys of a plan that set noise.
  package static let planKeys = ["mean_abs", "sigma", "relative", "epsilon", "delta", "clip"]

  /// From a plan's numbers: exactly one of `mean_abs`, `sigma`, `relative`, or `epsilon` with `delta` and `clip`; no key means no noise.
  ///
  /// - Throws: `Fault` for an unknown key, more than one unit, a missing companion, or a number out of range.
  package init(planValues values: [String: Double]) throws {
    for key in values.keys.sorted() where !Self.planKeys.contains(key) {
      throw Fault(.invalidData, "unknown noise unit \"\(key)\"", hint: nameHint(key, among: Self.planKeys))
    }
    let units = ["mean_abs", "sigma", "relative", "epsilon"].filter { values[$0] != nil }
    guard units.count <= 1 else {
      throw Fault(.invalidData, "noise is given in \(units.count) units (\(units.joined(separator: ", ")))", hint: "keep one of them")
    }
    if units.first != "epsilon", let stray = ["clip", "delta"].first(where: { values[$0] != nil }) {
      throw Fault(.invalidData, "\"\(stray)\" has a meaning only together with \"epsilon\"", hint: "add epsilon or remove \(stray)")
    }
    switch units.first {
    case nil: self = .none
    case "mean_abs": self = .meanAbsolute(values["mean_abs"] ?? 0)
    case "sigma": self = .sigma(values["sigma"] ?? 0)
    case "relative": self = .relative(values["relative"] ?? 0)
    default:
      guard let epsilon = values["epsilon"], let delta = values["delta"], let clip = values["clip"] else {
        throw Fault(.invalidData, "\"epsilon\" needs \"delta\" and \"clip\"", hint: "without a clip noise is no differential privacy")
      }
      self = .epsilon(epsilon, delta: delta, clip: clip)
    }
    try validate()
  }

  /// - Throws: `Fault` unless every number is finite and in range: amounts ≥ 0, ε > 0, 0 < δ < 1, clip > 0.
  package func validate() throws {
    switch self {
    case .none: return
    case .meanAbsolute(let amount), .sigma(let amount), .relative(let amount):
      guard amount >= 0, amount.isFinite else { throw invalid("noise must be non-negative and finite, got \(amount) in \(self)") }
    case .epsilon(let epsilon, let delta, let clip):
      guard epsilon > 0, epsilon.isFinite else {
        throw invalid("epsilon must be positive and finite, got \(epsilon)", hint: "for no noise leave the unit away")
      }
      _ = try checked(delta: delta)
      guard clip > 0, clip.isFinite else { throw invalid("the clip must be a positive, finite L2 norm, got \(clip)") }
    }
  }
}
