/// A number in 0...1 that compares predicted choices with the right ones.
package enum TaskMetric: String, Sendable, Hashable, CaseIterable {
  /// Share of examples whose predicted choice is accepted; ReCoRD's exact match.
  case accuracy
  /// F1 of each choice, averaged over the choices that occur as label or prediction; CB's F1.
  case macroF1 = "macro_f1"
  /// MultiRC's F1a: F1 of choice 1 (yes) over all answer options.
  case answerF1 = "f1a"
  /// MultiRC's F1m: harmonic mean of the questions' mean precision and mean recall of choice 1, as in the official evaluation.
  case questionF1 = "f1m"
  /// MultiRC's EM: share of questions all of whose answer options are right.
  case exactMatch = "em"

  /// The value for predicted choice indices, one an example and in the examples' order; `group` tells which belong to one question.
  /// Traps for an empty list, unequal lengths and indices outside an example's choices.
  package func value(predicted: [Int], of examples: [TaskExample]) -> Double {
    precondition(!examples.isEmpty && predicted.count == examples.count, "\(predicted.count) predictions of \(examples.count) examples")
    let pairs = zip(predicted, examples).map { choice, example in
      precondition(example.choices.indices.contains(choice), "prediction \(choice) of \(example.choices.count) choices")
      return Pair(predicted: choice, example: example)
    }
    let groups = Dictionary(grouping: pairs, by: \.example.group).values
    switch self {
    case .accuracy: return mean(pairs.map { $0.isRight ? 1 : 0 })
    case .macroF1:
      let labels = Set(pairs.map(\.predicted)).union(pairs.map(\.example.label))
      return mean(labels.map { Counts(pairs, of: $0).f1 }.sorted())
    case .answerF1:
      let counts = Counts(pairs, of: 1)
      return harmonicMean(counts.precision, counts.recall)
    case .questionF1:
      let counts = groups.map { Counts($0, of: 1) }
      return harmonicMean(mean(counts.map(\.precision).sorted()), mean(counts.map(\.recall).sorted()))
    case .exactMatch: return mean(groups.map { $0.allSatisfy(\.isRight) ? 1 : 0 })
    }
  }
}

private struct Pair {
  var predicted: Int
  var example: TaskExample
  var isRight: Bool { example.accepted.contains(predicted) }
}

/// How often one choice is the label, the prediction and both.
private struct Counts {
  var labelled = 0
  var predicted = 0
  var both = 0

  init(_ pairs: [Pair], of choice: Int) {
    for pair in pairs {
      if pair.example.label == choice { labelled += 1 }
      if pair.predicted == choice { predicted += 1 }
      if pair.example.label == choice && pair.predicted == choice { both += 1 }
    }
  }

  /// 1 without a prediction, as in MultiRC's official evaluation.
  var precision: Double { predicted == 0 ? 1 : Double(both) / Double(predicted) }
  /// 1 without a label, as in MultiRC's official evaluation.
  var recall: Double { labelled == 0 ? 1 : Double(both) / Double(labelled) }
  var f1: Double { labelled + predicted == 0 ? 0 : 2 * Double(both) / Double(labelled + predicted) }
}

private func harmonicMean(_ a: Double, _ b: Double) -> Double { a + b == 0 ? 0 : 2 * a * b / (a + b) }

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
