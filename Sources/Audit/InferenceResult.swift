/// What one inference attack found out in one cell: how well its answers agree with the truth, and what that proves about a guarantee.
package struct InferenceResult: Sendable, Codable, Equatable {
  /// A true-positive rate at a bound on the false-positive rate.
  package struct Rate: Sendable, Codable, Equatable {
    package var rate: Double
    /// 95 % Clopper–Pearson interval; the threshold is taken as given.
    package var ci95: [Double]
    /// False with too few negatives for a single false positive at this rate: the point is then stricter than its name.
    package var isResolved: Bool

    package init(rate: Double, ci95: [Double], isResolved: Bool) { (self.rate, self.ci95, self.isResolved) = (rate, ci95, isResolved) }
    enum CodingKeys: String, CodingKey { case rate, ci95, isResolved = "resolved" }
  }

  /// What theory says the best attack reaches: AUC Φ(μ/√2), TPR 1 − Φ(z − μ), with μ = ‖h(x) − h(x′)‖_F / σ over all released rows.
  package struct ClosedForm: Sendable, Codable, Equatable {
    package var mu: Double
    package var auc: Double
    package var truePositiveRate: Double

    package init(mu: Double, auc: Double, truePositiveRate: Double) {
      (self.mu, self.auc, self.truePositiveRate) = (mu, auc, truePositiveRate)
    }
    enum CodingKeys: String, CodingKey { case mu, auc, truePositiveRate = "tpr_at_fpr_0.01" }
  }

  package var cell: String
  package var settings: [String: SettingValue]
  /// Label of the attack in the plan.
  package var test: String
  package var question: InferenceQuestion
  package var channel: String
  /// True where the answers must be worthless: then an AUC above chance says that the run is broken.
  package var isControl: Bool
  /// Units answered for, and how many of them are truly yes; nil where the answer is no yes or no.
  package var n: Int
  package var positives: Int?
  /// Area under the ROC curve and its 95 % bootstrap interval over documents (trials in a game); nil for classes.
  package var auc: Double?
  package var aucCI95: [Double]?
  package var atOnePercent: Rate?
  package var atOnePerMille: Rate?
  /// Share of right answers, its 95 % Clopper–Pearson interval, and what always giving the most frequent answer would reach. Nil where the attack
  /// gives scores without a threshold.
  package var accuracy: Double?
  package var accuracyCI95: [Double]?
  package var majorityBaseline: Double?
  /// 95 % bootstrap interval over documents of the accuracy less that of always giving the answer which is most frequent here.
  package var gainCI95: [Double]?
  /// Empirical mutual information of answer and truth, bits a unit; at most log2 n, and a little high when n is small. Of an attack that says how
  /// likely each class is, the mean of log2 p(truth) / prior(truth), or 0 where that is negative: what is known at least (Barber and Agakov 2003).
  package var bits: Double?
  /// With 95 % confidence no guarantee below this ε can hold (at `delta`); the threshold was chosen on the other half of the units.
  package var epsilonLower: Double?
  /// What the defense claims for what differs in the game; nil without a claim.
  package var epsilonClaimed: Double?
  package var delta: Double?
  package var closedForm: ClosedForm?
  /// Wall-clock seconds.
  package var seconds: Double

  package init(
    cell: String, settings: [String: SettingValue], test: String, question: InferenceQuestion, channel: String, isControl: Bool = false,
    n: Int, positives: Int? = nil, seconds: Double
  ) {
    (self.cell, self.settings, self.test, self.question, self.channel) = (cell, settings, test, question, channel)
    (self.isControl, self.n, self.positives, self.seconds) = (isControl, n, positives, seconds)
  }

  /// The measured lower bound is above the claim: the guarantee does not hold.
  package var refutesClaim: Bool {
    guard let epsilonLower, let epsilonClaimed else { return false }
    return epsilonLower > epsilonClaimed
  }

  enum CodingKeys: String, CodingKey {
    case cell, settings, test, question, channel, isControl = "is_control", n, positives, auc, aucCI95 = "auc_ci95"
    case atOnePercent = "tpr_at_fpr_0.01", atOnePerMille = "tpr_at_fpr_0.001", accuracy, accuracyCI95 = "accuracy_ci95"
    case majorityBaseline = "majority_baseline", gainCI95 = "gain_ci95", bits, epsilonLower = "epsilon_lower", epsilonClaimed =
      "epsilon_claimed", delta
    case closedForm = "closed_form", seconds
  }
}

extension InferenceResult {
  /// What contradicts itself, or nil.
  package var problem: String? {
    let shares = [auc, atOnePercent?.rate, atOnePerMille?.rate, accuracy, majorityBaseline, closedForm?.auc, closedForm?.truePositiveRate]
      .compactMap { $0 }
    if !shares.allSatisfy({ (0...1).contains($0) }) { return "a share is outside 0…1" }
    let numbers = [bits, epsilonLower, epsilonClaimed, delta, closedForm?.mu, seconds].compactMap { $0 }
    if !numbers.allSatisfy({ $0.isFinite && $0 >= 0 }) { return "a number is negative or not finite" }
    for interval in [aucCI95, atOnePercent?.ci95, atOnePerMille?.ci95, accuracyCI95].compactMap({ $0 }) {
      if interval.count != 2 || !interval.allSatisfy({ (0...1).contains($0) }) || interval[0] > interval[1] {
        return "an interval is not two rising shares"
      }
    }
    if let gainCI95, gainCI95.count != 2 || !gainCI95.allSatisfy({ (-1...1).contains($0) }) || gainCI95[0] > gainCI95[1] {
      return "a gain's interval is not two rising differences of shares"
    }
    if n < 0 || !(0...max(0, n)).contains(positives ?? 0) { return "\(positives ?? 0) positives of \(n)" }
    return nil
  }
}
