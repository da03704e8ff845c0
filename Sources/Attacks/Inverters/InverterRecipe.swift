import Checkpoints
import Kernels
import Llama

/// How an inverter is built and trained. A function of the plan's settings and of the view's noise, never of what the states hold.
package struct InverterRecipe: Sendable, Hashable {
  package enum Architecture: String, Sendable, CaseIterable, Codable {
    /// d → d and the codebook.
    case linear
    /// The same, and a perceptron added to it.
    case mlp
    /// The same, and a GRU in both directions added to it.
    case gru
    /// Three linear experts and a gate.
    case mixture
  }

  /// A part of training with its own goal.
  struct Stage: Sendable, Hashable {
    var name: String
    var steps: Int
    /// Multiples of s that the noise of a document is drawn from, uniformly.
    var factors: [Double]
    /// Those of the held-out text.
    var heldOut: [Double]
    var mode: InverterNetwork.Mode = .expert(0)
    /// Prefixes of the names of the tensors that learn.
    var trains: [String] = [""]
    var target = InverterLoss.Target.crossEntropy
    /// Noise of the experts, for a gate that is taught it.
    var levels: [Double] = []
    /// In place of the rate that the trials chose.
    var rate: Float?

    /// How long a step takes, beside one that asks for tokens: a gate that learns noise levels has three of them to tell apart.
    var weight: Double { target == .noiseLevel ? 0.05 : 1 }
  }

  /// Counts changes of the training code that change its results: part of the key of stored inverters. Mixtures are read by an expert alone where that is
  /// better since 2, and have their budget divided by what steps take since 3.
  var version: Int { architecture == .mixture ? 3 : 1 }

  package let architecture: Architecture
  /// Hidden width: of the GRU, or the factor of Luo's widths d, 2d, 2d, d (4 gives the published 4d, 8d, 8d, 4d).
  package let width: Int
  let stages: [Stage]
  /// Learning rates tried on the first stage; the best on held-out text is used.
  let rates: [Float]
  /// Noise of each expert, in multiples of s.
  let expertFactors: [Double]
  let rowsPerStep: Int
  package let budgetSeconds: Double

  static let weightDecay: Float = 1e-5
  /// Steps between looks at held-out text, and how many looks without progress end a stage.
  static let interval = 25
  static let patience = 4

  /// - Parameters:
  ///   - steps: of all stages together; the gate takes as many again to learn noise levels, which is cheap.
  ///   - isMatched: train at s alone and not at {0, s/2, s, 2s}.
  ///   - knowsSigma: whether s is the true deviation, which then decides on held-out text.
  package init(
    _ architecture: Architecture, width: Int, steps: Int, isMatched: Bool, knowsSigma: Bool, sigma: Double, rowsPerStep: Int,
    budgetSeconds: Double
  ) {
    (self.architecture, self.width, self.rowsPerStep, self.budgetSeconds) = (architecture, width, rowsPerStep, budgetSeconds)
    let spread = sigma == 0 ? [0] : isMatched ? [1] : [0, 0.5, 1, 1, 1, 2]
    let aim = sigma == 0 ? [0] : knowsSigma || isMatched ? [1] : [0, 0.5, 1, 2]
    rates = architecture == .linear || architecture == .mixture ? [3e-4, 3e-3] : [3e-4, 1e-3]
    func share(_ x: Double) -> Int { Int((Double(steps) * x).rounded()) }
    switch architecture {
    case .linear, .gru:
      expertFactors = [1]
      stages = [Stage(name: "tokens", steps: steps, factors: spread, heldOut: aim)]
    case .mlp:
      expertFactors = [1]
      stages = [
        Stage(name: "codebook", steps: share(0.25), factors: spread, heldOut: aim, trains: ["body"], target: .squaredError),
        Stage(name: "tokens", steps: share(0.75), factors: spread, heldOut: aim),
      ]
    case .mixture where sigma > 0:
      expertFactors = [0, 1, 3]
      // Where s is the true deviation, the gate has only that noise to learn.
      let mixed: [Double] = knowsSigma ? [1] : [0, 0.5, 1, 2, 3]
      stages =
        expertFactors.enumerated().map { i, factor in
          Stage(
            name: "expert \(i)", steps: share(0.2), factors: [factor], heldOut: [factor], mode: .expert(i), trains: ["expert\(i)"])
        } + [
          Stage(
            name: "noise level", steps: steps, factors: knowsSigma ? [1] : expertFactors, heldOut: aim, mode: .gated, trains: ["gate"],
            target: .noiseLevel, levels: expertFactors, rate: 1e-2),
          Stage(name: "gate", steps: share(0.25), factors: mixed, heldOut: mixed, mode: .gated, trains: ["gate"], rate: 2e-3),
          Stage(name: "joint", steps: share(0.15), factors: mixed, heldOut: mixed, mode: .gated),
        ]
    case .mixture:
      expertFactors = [0]
      stages = [Stage(name: "expert", steps: steps, factors: [0], heldOut: [0])]
    }
  }

  /// The network before training: linear discriminant analysis for each expert's noise, and bodies that add nothing.
  func network(_ space: InverterSpace, sigma: Double, seed: UInt64, _ compute: Compute) -> InverterNetwork {
    let d = space.codebook.columns
    let random = CounterRandom(seed: seed, stream: "inverter/weights")
    let experts = expertFactors.map { factor -> InverterNetwork.Expert in
      let adapter = DenseLayer(weight: space.discriminant(sigma: factor * sigma, reference: sigma, compute))
      let bent = compute.linear(space.codebook, adapter.weight.value.values, outputs: d)
      let biases = (0..<space.codebook.rows).map { v -> Float in
        var total: Float = 0
        for (a, b) in zip(space.codebook[row: v], bent[row: v]) { total += a * b }
        return -total / 2
      }
      return .init(adapter: adapter, tokenBias: TrainedTensor(Matrix(rows: 1, columns: biases.count, values: biases)))
    }
    let body: InverterBody? =
      switch architecture {
      case .linear, .mixture: nil
      case .mlp: .perceptron(PerceptronBody(inputs: d, widths: [1, 2, 2, 1].map { $0 * width * d }, random: random))
      case .gru: .recurrent(RecurrentBody(inputs: d, width: width, random: random))
      }
    return InverterNetwork(
      experts: experts, gate: experts.count > 1 ? InverterGate(inputs: d, experts: experts.count, random: random) : nil, body: body)
  }
}

extension InverterSpace {
  /// M [C, C] with which x reads best at noise σ, when the whitening is for noise `reference`: (L⁻¹ (S + (σ² − reference²) I) L⁻ᵀ)⁻¹.
  func discriminant(sigma: Double, reference: Double, _ compute: Compute) -> Matrix {
    let n = whitening.rows
    let difference = sigma * sigma - reference * reference
    let shape = compute.product(whitening, whitening, transposeB: true)
    var a = shape.values.map { Double($0) * difference }
    for i in 0..<n { a[i * n + i] += 1 }
    if difference == 0 { return Matrix(rows: n, columns: n, values: a.map { Float($0) }) }
    guard let factor = Cholesky(covariance: a, plus: 0, order: n) else {
      return Matrix(rows: n, columns: n, values: (0..<n * n).map { $0 % (n + 1) == 0 ? 1 : 0 })
    }
    let inverse = Matrix(rows: n, columns: n, values: factor.inverseLower.map { Float($0) })
    return compute.product(inverse, inverse, transposeA: true)
  }
}
