import Attacks
package import Audit
import Diagnostics
import Kernels
import Llama
import Privacy
package import SplitLearning

/// The distinguishing game as it is played with the client: in every trial a coin decides which of two texts is sent, through the victim's blocks and
/// the defense, with noise of its own.
package struct DistinguishingChallenge {
  /// What the server receives, one document a trial.
  package let view: AdversaryView
  package let candidates: CandidatePair
  /// The coins: true where the second text was sent.
  package let sentSecond: [Bool]
  /// ‖h(x) − h(x′)‖_F / σ after clipping, over all rows; nil unless the noise is Gaussian.
  package let mu: Double?
  /// ε that the defense claims for what differs, at `delta`: the composition of one clipped Gaussian release a differing row; nil without a clip.
  package let claimedEpsilon: Double?
  package let delta: Double

  /// - Parameters:
  ///   - publicText: token ids of public passages, from which the attacker takes the two texts.
  ///   - means: with the victim's weights as `model`.
  /// - Throws: `Fault` when no two public passages are long enough. Randomness: `seed`.
  package init(
    _ settings: ChallengeSettings, publicText: [[Int32]], victim means: AttackerMeans, points: PartitionPoints, defense: PreparedDefense,
    identity: ViewIdentity, withholdsNoise: Bool = false, seed: Int
  ) throws {
    candidates = try Self.candidates(settings, publicText)
    let pair = candidates
    let coins = CounterRandom(seed: UInt64(seed), stream: "challenge/coins")
    let sentSecond = (0..<settings.trials).map { coins.uniform(item: UInt64($0)) < 0.5 }
    let (first, second) = (
      means.states(of: [pair.first], inputBlocks: points.input), means.states(of: [pair.second], inputBlocks: points.input)
    )
    let positions = Array(0..<first.rows)
    var values: [Float] = []
    values.reserveCapacity(settings.trials * first.values.count)
    for trial in 0..<settings.trials {
      // Names that neither a private document nor a colluder's text has, so that no draw of noise is shared.
      let sequence = UInt64(trial) | 1 << 30
      values +=
        defense.protector.protect(sentSecond[trial] ? second : first, sequences: positions.map { _ in sequence }, positions: positions)
        .values
    }
    var statement = defense.statement
    if withholdsNoise { statement = statement.withheld }
    self.sentSecond = sentSecond
    view = AdversaryView(
      identity: identity, partition: points, offsets: (0...settings.trials).map { $0 * first.rows },
      observations: [
        .inputHiddenStates: Observation(
          values: Matrix(rows: settings.trials * first.rows, columns: first.columns, values: values), noise: statement)
      ])
    let delta = defense.units[SettingKey.delta]?.number ?? 1e-5
    self.delta = delta
    guard defense.statement.law == .gaussian, let sigma = defense.statement.sigma, sigma > 0 else {
      (mu, claimedEpsilon) = (nil, nil)
      return
    }
    let compute = means.model.compute
    let (a, b) = (defense.statement.deterministic(first, compute), defense.statement.deterministic(second, compute))
    mu = zip(a.values, b.values).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot() / sigma
    let differing = settings.difference == .lastToken ? 1 : first.rows
    claimedEpsilon = try defense.statement.clip.map {
      try GaussianMechanism(sigma: sigma, sensitivity: 2 * $0).composed(differing).epsilon(delta: delta)
    }
  }

  /// What the best attacker reaches; nil unless the noise is Gaussian and the texts differ.
  package var closedForm: InferenceResult.ClosedForm? {
    guard let mu, let mechanism = try? GaussianMechanism(mu: mu) else { return nil }
    return .init(mu: mu, auc: mechanism.distinguishingAUC, truePositiveRate: mechanism.truePositiveRate(falsePositiveRate: 0.01))
  }

  private static func candidates(_ settings: ChallengeSettings, _ publicText: [[Int32]]) throws -> CandidatePair {
    let long = publicText.filter { $0.count >= settings.tokens }.map { Array($0.prefix(settings.tokens)) }
    guard let first = long.first else { throw tooShort(settings) }
    let place: Int? =
      switch settings.difference {
      case .document: nil
      case .firstToken: 0
      case .lastToken: settings.tokens - 1
      }
    guard let place else {
      guard let second = long.first(where: { $0 != first }) else { throw tooShort(settings) }
      return CandidatePair(first: first, second: second)
    }
    guard let other = long.first(where: { $0[place] != first[place] }) else { throw tooShort(settings) }
    var second = first
    second[place] = other[place]
    return CandidatePair(first: first, second: second)
  }

  private static func tooShort(_ settings: ChallengeSettings) -> Fault {
    Fault(
      .invalidData, "the distinguishing game needs two different public passages of at least \(settings.tokens) tokens",
      hint: "threat_model.auxiliary, or fewer tokens")
  }
}
