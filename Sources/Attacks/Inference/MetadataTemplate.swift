package import Audit
import Diagnostics
import Foundation
import Kernels

/// O6: from which template a prompt was made, told by its length alone. Everybody knows the templates; what is filled in makes their lengths
/// overlap. Its twin, which learned lengths with shuffled templates, must be worthless.
///
///     p(c | ℓ) ∝ p(c) p(ℓ | c),   p(ℓ | c) = (Σ_{i ∈ c} k(ℓ − ℓ_i) + k̄(ℓ)) / (n_c + 1)
///
/// with k a discrete Gaussian and k̄ its mean over all public prompts: a template that was seen once is believed half. The width of k is chosen on
/// public prompts, each left out in its turn.
package struct MetadataTemplate: InferenceAttack {
  package static let description = MethodDescription(
    name: "metadata-template", summary: "from which known template was the prompt made, from its length alone",
    paper: "side channels of language model traffic, Weiss et al. 2024",
    deviations: "a kernel estimate of the lengths of every template, and Bayes' rule", cost: "none", knowledge: .k0, channels: [.lengths],
    occasion: .templates,
    settings: ["width": "standard deviation of the kernel in tokens, default chosen on public text among 0.5, 1, 2, 4, 8"])

  package static let rules: [String: SettingRule] = ["width": .number(0.01...1_000)]
  package static let needs: Set<InferenceNeed> = [.attributes]

  private let width: Double?

  package init(_ settings: [String: SettingValue]) throws {
    width =
      settings["width"] == nil ? nil : try SettingReader(settings, of: Self.description.name).real("width", default: 1, in: 0.01...1_000)
  }

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    let lengths = means.attacker.auxiliary.map(\.count)
    guard let classes = means.attributes, classes.count == lengths.count, Set(classes).count > 1, classes.allSatisfy({ $0 >= 0 }) else {
      throw Fault(
        .invalidData, "\(Self.description.name) learns from public prompts of several templates, and there is none",
        hint: "threat_model.auxiliary: presidio-templates")
    }
    var generator = CounterRandom(seed: means.attacker.trainingSeed, stream: "template/shuffled").generator()
    let shuffled = classes.shuffled(using: &generator)
    return [(classes, false), (shuffled, true)].map { classes, isControl in
      let known = TemplateLengths(lengths, classes, width: width)
      return InferenceAnswer(.template, .posteriors(view.promptLengths.map(known.posterior), prior: known.prior), isControl: isControl)
    }
  }
}

/// Lengths of the prompts of each class, smoothed.
private struct TemplateLengths {
  /// (n_c + 1) / (n + C) of every class.
  let prior: [Double]
  private let lengths: [[Int]]
  private let all: [Int]
  private let kernel: LengthKernel

  private static let widths = [0.5, 1, 2, 4, 8]

  init(_ lengths: [Int], _ classes: [Int], width: Double?) {
    var own = [[Int]](repeating: [], count: (classes.max() ?? 0) + 1)
    for (length, c) in zip(lengths, classes) { own[c].append(length) }
    let total = Double(lengths.count + own.count)
    prior = own.map { Double($0.count + 1) / total }
    (self.lengths, all) = (own, lengths)
    let candidates = (width.map { [$0] } ?? Self.widths).map(LengthKernel.init)
    let fits = candidates.map { Self.fit(lengths, classes, own, $0) }
    kernel = candidates[fits.indices.max { fits[$0] < fits[$1] }!]
  }

  /// Σ ln p(ℓ_i | c_i) with prompt i left out of its class.
  private static func fit(_ lengths: [Int], _ classes: [Int], _ own: [[Int]], _ kernel: LengthKernel) -> Double {
    zip(lengths, classes).reduce(0) { sum, next in
      let (length, c) = next
      let itself = kernel.sum(length, [length])
      let mine = kernel.sum(length, own[c]) - itself
      let background = (kernel.sum(length, lengths) - itself) / Double(lengths.count)
      return sum + log(max((mine + background) / Double(own[c].count), 1e-300))
    }
  }

  /// p(c | length) of every class.
  func posterior(_ length: Int) -> [Double] {
    let background = kernel.sum(length, all) / Double(all.count)
    let joint = lengths.indices.map { prior[$0] * (kernel.sum(length, lengths[$0]) + background) / Double(lengths[$0].count + 1) }
    let total = joint.reduce(0, +)
    // A length that nothing public comes near says nothing.
    return total > 1e-290 ? joint.map { min(1, $0 / total) } : prior
  }
}

/// A discrete Gaussian over the integers, normalised over 81 of them: up to a factor that all classes share.
private struct LengthKernel {
  let width: Double
  private let mass: Double

  /// - Parameter width: standard deviation, tokens.
  init(width: Double) {
    self.width = width
    mass = (-40...40).reduce(0.0) { $0 + exp(-Double($1 * $1) / (2 * width * width)) }
  }

  /// Σ_i k(length − ℓ_i).
  func sum(_ length: Int, _ from: [Int]) -> Double {
    from.reduce(0.0) { sum, other in
      let d = Double(length - other) / width
      return sum + exp(-d * d / 2)
    } / mass
  }
}
