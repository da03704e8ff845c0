package import Llama

/// What an inference attack wants to know. It answers for units that the server can tell apart, never with their tokens.
package enum InferenceQuestion: String, Sendable, Codable, CaseIterable {
  /// Which of two texts that the attacker knows was sent? One unit a trial of the distinguishing game.
  case sentCandidate = "sent_candidate"
  /// Was the document among the texts that the victim was fine-tuned on?
  case membership
  /// From which of two kinds of source is the document?
  case attribute
  /// From which of many known templates was the prompt made?
  case template
  /// How many tokens had the prompt?
  case promptLength = "prompt_length"
  /// How many tokens had the model's answer?
  case answerLength = "answer_length"
  /// Was the model's answer a bare yes or no?
  case yesNoAnswer = "yes_no_answer"
  /// Does the row of a gradient stand for no label (padding, a decoy, a last position)? One unit a row.
  case unlabelledRow = "unlabelled_row"

  /// What one answer is about.
  package var unit: String {
    switch self {
    case .sentCandidate: "trial"
    case .unlabelledRow: "row"
    default: "document"
    }
  }
}

/// An attack's answers to one question, one a unit, in the order of the view.
package struct InferenceAnswer: Sendable {
  package enum Values: Sendable {
    /// Larger speaks for yes; above `threshold`, where the attack has one, it says yes.
    case scores([Double], threshold: Double?)
    /// A class or a number of tokens.
    case classes([Int])
    /// p(class) of every class for each unit, [units, classes], and before anything was observed, [classes].
    case posteriors([[Double]], prior: [Double])
  }

  package var question: InferenceQuestion
  package var values: Values
  /// True where the answer must be worthless, for example after training on shuffled labels.
  package var isControl: Bool

  package init(_ question: InferenceQuestion, _ values: Values, isControl: Bool = false) {
    (self.question, self.values, self.isControl) = (question, values, isControl)
  }
}

/// Infers a property of documents, not their tokens: membership, attributes, which of two candidates was sent, lengths. Like an `Attack` it sees
/// what the adversary saw and what the threat model grants; the right answers stay with the scorer.
package protocol InferenceAttack: Sendable {
  static var description: MethodDescription { get }
  /// Rules for its settings, by name.
  static var rules: [String: SettingRule] { get }
  /// What it needs beside the attacker's weights and public text.
  static var needs: Set<InferenceNeed> { get }
  /// The game that it wants to be played with the client, in place of the private documents; nil for attacks on these.
  var challenge: ChallengeSettings? { get }
  /// Reads its settings from a plan; throws on a wrong value (unknown keys are refused before).
  init(_ settings: [String: SettingValue]) throws
  /// - Parameters:
  ///   - view: what was observed; of the challenge where there is one.
  ///   - progress: called now and then with the fraction done, 0...1; may throw to stop.
  /// - Throws: `Fault` for a channel, weights or public text that are not at hand.
  func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer]
}

extension InferenceAttack {
  package static var rules: [String: SettingRule] { [:] }
  package static var needs: Set<InferenceNeed> { [] }
  package var challenge: ChallengeSettings? { nil }
}

/// Means that cost time to prepare, so they are only prepared for attacks that ask for them.
package enum InferenceNeed: Sendable, Hashable { case shadow, attributes }

/// A distinguishing game: the attacker picks two public texts of equal length, the client sends one of them in every trial.
package struct ChallengeSettings: Sendable, Hashable {
  /// In what the two texts differ.
  package enum Difference: String, Sendable, CaseIterable {
    /// Two passages.
    case document
    /// The first token: every later state differs too.
    case firstToken = "first-token"
    /// The last token: one state differs.
    case lastToken = "last-token"
  }

  package var trials: Int
  /// Length of both texts.
  package var tokens: Int
  package var difference: Difference

  package init(trials: Int, tokens: Int, difference: Difference) {
    (self.trials, self.tokens, self.difference) = (trials, tokens, difference)
  }
}

/// What an inference attack has before looking.
package struct InferenceMeans: Sendable {
  package var attacker: AttackerMeans
  /// The public checkpoint, which the victim's fine-tuning began from.
  package var publicModel: LlamaModel
  /// A model that the attacker fine-tuned as the victim does, on public text; nil unless it was asked for.
  package var shadow: ShadowModel?
  /// Class of each passage of the public text, 0..<number of classes; nil where the public text has no attribute, or it was not asked for.
  package var attributes: [Int]?
  /// The two texts of a challenge; nil outside of one.
  package var candidates: CandidatePair?

  package init(
    attacker: AttackerMeans, publicModel: LlamaModel, shadow: ShadowModel? = nil, attributes: [Int]? = nil, candidates: CandidatePair? = nil
  ) {
    (self.attacker, self.publicModel, self.shadow) = (attacker, publicModel, shadow)
    (self.attributes, self.candidates) = (attributes, candidates)
  }
}

/// A fine-tuned model of the attacker's own, and which passages of the public text it was fine-tuned on.
package struct ShadowModel: Sendable {
  package var model: LlamaModel
  package var isMember: [Bool]

  package init(model: LlamaModel, isMember: [Bool]) { (self.model, self.isMember) = (model, isMember) }
}

/// Token ids of the two texts of a distinguishing game.
package struct CandidatePair: Sendable {
  /// Sent under H0 and under H1.
  package var first: [Int32]
  package var second: [Int32]

  package init(first: [Int32], second: [Int32]) {
    precondition(first.count == second.count && !first.isEmpty, "candidates of \(first.count) and \(second.count) tokens")
    (self.first, self.second) = (first, second)
  }
}
