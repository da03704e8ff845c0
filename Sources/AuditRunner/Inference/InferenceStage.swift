import Attacks
import Audit
import Diagnostics
import Foundation
import PrivateText
import SplitLearning
import Tokenizers

/// The inference attacks of a plan on one cell, scored. One that fails is noted, and the others go on; only an interruption stops the cell.
struct InferenceStage {
  let cell: PlanCell
  let bench: Workbench
  /// As they were sent, in the order of the view.
  let documents: [PrivateDocument]
  let viewPath: String
  let means: AttackerMeans
  let defense: PreparedDefense
  let settings: [String: SettingValue]

  /// - Parameter tell: label and fraction of the stage that is done; may throw to stop.
  func run(_ tell: (String, Double) throws -> Void) throws -> (results: [InferenceResult], failures: [AttackFailure]) {
    var (results, failures) = ([InferenceResult](), [AttackFailure]())
    for (k, entry) in cell.plan.inference.enumerated() {
      do {
        try tell(entry.label, Double(k) / Double(cell.plan.inference.count))
        results += try measured(entry) { try tell(entry.label, (Double(k) + $0) / Double(cell.plan.inference.count)) }
      } catch let fault as Fault where fault.code != .interrupted {
        failures.append(AttackFailure(cell: cell.id, attack: entry.label, message: fault.description))
      }
    }
    return (results, failures)
  }

  private func measured(_ entry: AttackPlan, _ progress: (Double) throws -> Void) throws -> [InferenceResult] {
    let began = Date()
    let attack = try InferenceCatalog.make(entry.name, settings: entry.settings)
    let description = type(of: attack).description
    var own = try bench.inference.means(means, needs: type(of: attack).needs) { try progress(0.5 * $0) }
    let view: AdversaryView
    var challenge: DistinguishingChallenge?
    if let wanted = attack.challenge {
      guard cell.plan.threatModel.channels.contains(.inputHiddenStates) else {
        throw Fault(
          .invalidData,
          "\(entry.label) is played with what the client sends, and threat_model.channels does not grant \(Channel.inputHiddenStates.rawValue)"
        )
      }
      var victim = bench.means
      victim.model = bench.victim
      let played = try DistinguishingChallenge(
        wanted, publicText: bench.corpus.auxiliary, victim: victim, points: cell.partition, defense: defense,
        identity: ViewFile.read(viewPath, channels: []).identity, withholdsNoise: cell.plan.threatModel.noise == .withheld, seed: cell.seed)
      (view, own.candidates, challenge) = (played.view, played.candidates, played)
    } else {
      view = try ViewFile.read(viewPath, channels: description.channels)
    }
    let answers = try attack.infer(view, with: own) { try progress(0.5 + 0.5 * $0) }
    let channel = description.channels.first { view.observations[$0] != nil } ?? .lengths
    return try answers.map { answer in
      var result = InferenceResult(
        cell: cell.id, settings: settings, test: entry.label, question: answer.question, channel: channel.rawValue,
        isControl: answer.isControl, n: 0, seconds: Date().timeIntervalSince(began))
      let isGuarantee = [.sentCandidate, .membership].contains(answer.question) && !answer.isControl
      try InferenceScoring(seed: UInt64(cell.seed)).score(
        answer, against: try truth(answer.question, challenge),
        groups: answer.question == .unlabelledRow ? documents.indices.flatMap { d in documents[d].tokens.map { _ in d } } : nil,
        delta: isGuarantee ? challenge?.delta ?? 1e-5 : nil, into: &result)
      if let challenge {
        result.epsilonClaimed = challenge.claimedEpsilon
        result.closedForm = means.knowledge >= .k2 ? challenge.closedForm : nil
      }
      return result
    }
  }

  private func truth(_ question: InferenceQuestion, _ challenge: DistinguishingChallenge?) throws -> InferenceTruth {
    switch question {
    case .sentCandidate: return .flags(challenge?.sentSecond ?? [])
    case .membership:
      let marks = documents.compactMap(\.isMember)
      guard marks.count == documents.count else {
        throw Fault(.invalidData, "nobody knows which documents are members", hint: "dataset.members: 0.5")
      }
      return .flags(marks)
    case .attribute:
      let names = try bench.inference.attributeNames()
      let kinds = documents.compactMap { document in names.firstIndex { $0 == document.attribute } }
      guard kinds.count == documents.count else {
        throw Fault(
          .invalidData, "the documents are not of the kinds of the public text: \(names.joined(separator: ", "))",
          hint: "dataset.name: prose-and-dialogue")
      }
      return .flags(kinds.map { $0 == 1 })
    case .template:
      let names = try bench.inference.attributeNames()
      // A template that public text lacks is a class of its own, which no answer names.
      return .numbers(documents.map { document in names.firstIndex { $0 == document.attribute } ?? -1 })
    case .promptLength: return .numbers(documents.map { $0.promptLength ?? $0.tokens.count })
    case .answerLength: return .numbers(documents.map { $0.tokens.count - ($0.promptLength ?? $0.tokens.count) })
    case .yesNoAnswer:
      return .flags(
        documents.map { document in
          let answer = bench.loaded.tokenizer.decode(Array(document.tokens.dropFirst(document.promptLength ?? document.tokens.count)))
          return AnswerForm.isYesOrNo(answer)
        })
    case .unlabelledRow: return .flags(documents.flatMap { document in document.tokens.indices.map { $0 == document.tokens.count - 1 } })
    }
  }
}

/// What a model's answer looks like.
enum AnswerForm {
  /// One word, yes or no, whatever stands around it.
  static func isYesOrNo(_ answer: String) -> Bool {
    let words = answer.lowercased().split { !$0.isLetter }
    return words.count == 1 && ["yes", "no"].contains(words[0])
  }
}
