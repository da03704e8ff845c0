import Audit

/// Inference results in words and figures, the same in every report.
enum InferenceText {
  /// The question as a privacy officer would put it.
  static func question(_ question: InferenceQuestion) -> String {
    switch question {
    case .sentCandidate: "Which of two known texts was sent?"
    case .membership: "Was the document used for fine-tuning?"
    case .attribute: "What kind of source is the document from?"
    case .template: "Which template was the prompt made from?"
    case .promptLength: "How long is the prompt?"
    case .answerLength: "How long is the answer?"
    case .yesNoAnswer: "Was the answer a bare yes or no?"
    case .unlabelledRow: "Which rows of the gradient are padding or decoys?"
    }
  }

  static let columns = ["Question", "Attack", "AUC", "TPR at 1 % FPR", "Right", "Majority", "Bits", "ε at least", "ε claimed", "n"]

  /// A figure, and what stands smaller beside or under it: its interval, a remark; empty without any.
  struct Cell {
    var text: String
    var note = ""
    var joined: String { note.isEmpty ? text : text + " " + note }
  }

  /// One result, in the order of `columns`.
  static func cells(_ result: InferenceResult) -> [Cell] {
    func share(_ x: Double?) -> String { x.map { NumberText.percent($0) } ?? NumberText.missing }
    func interval(_ ci: [Double]?) -> String { ci.map { $0.count == 2 ? NumberText.percentInterval($0[0], $0[1]) : "" } ?? "" }
    let rate = result.atOnePercent.map { Cell(text: share($0.rate), note: interval($0.ci95) + ($0.isResolved ? "" : " n small")) }
    return [
      Cell(text: question(result.question)), Cell(text: result.test, note: result.isControl ? "(control)" : ""),
      Cell(text: result.auc.map { NumberText.fixed($0, 3) } ?? NumberText.missing, note: range(result.aucCI95)),
      rate ?? Cell(text: NumberText.missing), Cell(text: share(result.accuracy), note: interval(result.accuracyCI95)),
      Cell(text: share(result.majorityBaseline)), Cell(text: result.bits.map { NumberText.fixed($0, 2) } ?? NumberText.missing),
      Cell(text: result.epsilonLower.map { NumberText.fixed($0, 2) } ?? NumberText.missing, note: result.refutesClaim ? "FAIL" : ""),
      Cell(text: result.epsilonClaimed.map { NumberText.significant($0) } ?? NumberText.missing),
      Cell(text: result.positives.map { "\($0) of \(result.n)" } ?? String(result.n)),
    ]
  }

  private static func range(_ ci: [Double]?) -> String {
    guard let ci, ci.count == 2 else { return "" }
    return "[\(NumberText.fixed(ci[0], 3)), \(NumberText.fixed(ci[1], 3))]"
  }

  /// What a reader has to know first, one sentence each: refuted guarantees, broken controls, theory beside measurement.
  static func alarms(_ results: [InferenceResult]) -> [String] {
    results.compactMap { result in
      if result.refutesClaim, let lower = result.epsilonLower, let claimed = result.epsilonClaimed {
        return "FAIL: \(result.test) in \(result.cell) proves ε of at least \(NumberText.fixed(lower, 2)), the defense claims "
          + "\(NumberText.significant(claimed)). The guarantee does not hold."
      }
      if result.isControl, let low = result.aucCI95?.first, low > 0.5 {
        return "The control of \(result.test) in \(result.cell), trained on shuffled labels, does better than chance: AUC "
          + "\(NumberText.fixed(result.auc ?? 0, 3)), lower end \(NumberText.fixed(low, 3)). One control in forty does by chance."
      }
      return nil
    }
  }

  /// The best attack possible beside the one that ran, for games whose curve is known.
  static func theory(_ results: [InferenceResult]) -> [String] {
    results.compactMap { result in
      guard let form = result.closedForm, let auc = result.auc, let rate = result.atOnePercent?.rate else { return nil }
      return "\(result.test) in \(result.cell): theory gives AUC \(NumberText.fixed(form.auc, 3)) and a true-positive rate of "
        + "\(NumberText.percent(form.truePositiveRate)) at 1 % false positives (μ = \(NumberText.significant(form.mu))); measured "
        + "\(NumberText.fixed(auc, 3)) and \(NumberText.percent(rate))."
    }
  }

  static let explanation = """
    These attacks do not read the text. They answer a question about a document. AUC is the chance that a document for which yes is right gets a \
    higher score than one for which no is right: 0.5 is guessing, 1 is certainty. TPR at 1 % FPR is the share of true yes that is found when one \
    wrong yes in a hundred is allowed; it counts most where a single exposed person is too many. Right is the share of right answers, and says \
    little unless it is above Majority, which always giving the most frequent answer reaches. "ε at least" is measured: with 95 % confidence no guarantee below it holds; above the claimed ε it refutes the \
    claim. A dash means that the number does not apply. Brackets are 95 % intervals.
    """
}
