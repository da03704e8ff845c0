package import Kernels
package import Llama

/// What a method is, for `list`, for validation and for the report.
package struct MethodDescription: Sendable, Hashable, Codable {
  /// kebab-case, as plans name it.
  package var name: String
  package var summary: String
  /// Where it was published.
  package var paper: String
  /// What differs from the publication.
  package var deviations: String
  /// What it costs, in words.
  package var cost: String
  /// The least knowledge it needs.
  package var knowledge: ThreatModel.Knowledge
  package var channels: [Channel]
  /// Who can carry it out; nil for everybody who sees the channels. Only active attacks say it: who observes alone cannot do them.
  package var roles: [ThreatModel.Role]?
  /// What there has to be beside the channels; nil where they are enough.
  package var occasion: Occasion?
  /// Of attacks on attention: the family of reconstruction that it belongs to.
  package var family: Family?
  /// True for controls that make no use of what was observed.
  package var isBaseline: Bool
  /// Settings a plan may give, with what they mean and their default.
  package var settings: [String: String]

  package init(
    name: String, summary: String, paper: String, deviations: String = "none", cost: String, knowledge: ThreatModel.Knowledge,
    channels: [Channel], roles: [ThreatModel.Role]? = nil, occasion: Occasion? = nil, family: Family? = nil, isBaseline: Bool = false,
    settings: [String: String] = [:]
  ) {
    (self.occasion, self.family) = (occasion, family)
    (self.name, self.summary, self.paper, self.deviations, self.cost) = (name, summary, paper, deviations, cost)
    (self.knowledge, self.channels, self.roles, self.isBaseline, self.settings) = (knowledge, channels, roles, isBaseline, settings)
  }

  enum CodingKeys: String, CodingKey {
    case name, summary, paper, deviations, cost, knowledge, channels, roles, occasion, family, isBaseline = "is_baseline", settings
  }

  /// A happening in the life of a deployment without which an attack has nothing to do.
  package enum Occasion: String, Sendable, Hashable, Codable, CaseIterable {
    /// The same text is sent more than once.
    case repeatedSends = "repeated-sends"
    /// Some of the documents were fine-tuned on.
    case membership
    /// The model answers.
    case answers
    /// Prompts are made from known templates.
    case templates
  }

  /// What "attention-based reconstruction" can mean, six things that are not to be taken for one another.
  package enum Family: String, Sendable, Hashable, Codable, CaseIterable {
    /// A network of attention blocks that reads states.
    case architecture
    /// Reads attention maps alone.
    case maps
    /// Solves queries, keys and values for the state that they were made of.
    case algebraic
    /// Runs candidates and compares what the server's blocks make of them.
    case collision
    /// Closed forms of gradients of the attention weights.
    case gradient
    /// Makes the model speak about a captured cache.
    case injection
  }
}

/// Reconstructs private tokens from what an adversary saw. It is handed no truth: no type it can reach holds any.
package protocol Attack: Sendable {
  static var description: MethodDescription { get }
  /// Rules for its settings, by name.
  static var rules: [String: SettingRule] { get }
  /// Channels that it opens as it is set, the one that its results are about first.
  var reads: [Channel] { get }
  /// Reads its settings from a plan; throws on a wrong value (unknown keys are refused before).
  init(_ settings: [String: SettingValue]) throws
  /// - Parameters:
  ///   - view: what was observed.
  ///   - means: what the threat model grants.
  ///   - progress: called now and then with the fraction done, 0...1; may throw to stop.
  func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction
}

extension Attack {
  package static var rules: [String: SettingRule] { [:] }
  package var reads: [Channel] { Self.description.channels }
}

/// What the attacker has before looking: public weights, public text, and memory of what it already computed from them.
package struct AttackerMeans: Sendable {
  /// The weights it knows: A and C at K1 and above; the whole public checkpoint serves as language-model prior.
  package var model: LlamaModel
  /// Token ids of public text, one array a passage.
  package var auxiliary: [[Int32]]
  /// Tokens that never occur in ordinary text.
  package var excluded: Set<Int32>
  package var seed: UInt64
  /// Seed of whatever is learned or rehearsed on public text. One for all seeds of a plan, which draw the noise of the victim: a table or an
  /// inverter that was made once serves them all, and `memory` may be shared between them.
  package var trainingSeed: UInt64
  package var memory: AttackerMemory
  /// Of a colluding client alone: what it sent through the same cut and defense, with its own text.
  package var collusion: LabelledStates?
  /// Whether `model` is the victim's exactly (K2, K3) or what its fine-tuning began from (K1).
  package var knowledge: ThreatModel.Knowledge
  /// Where trained inverters are kept; nil keeps them in memory only.
  package var inverters: InverterStore?
  /// Ids of a text of the attacker's own, by the public tokenizer, names of control tokens read as such; nil where there is no tokenizer.
  package var encode: (@Sendable (String) -> [Int32])?

  package init(
    model: LlamaModel, auxiliary: [[Int32]], excluded: Set<Int32>, seed: UInt64, memory: AttackerMemory, collusion: LabelledStates? = nil,
    knowledge: ThreatModel.Knowledge = .k2, inverters: InverterStore? = nil, trainingSeed: UInt64 = 1,
    encode: (@Sendable (String) -> [Int32])? = nil
  ) {
    (self.trainingSeed, self.encode) = (trainingSeed, encode)
    (self.model, self.auxiliary, self.excluded, self.seed, self.memory) = (model, auxiliary, excluded, seed, memory)
    (self.collusion, self.knowledge, self.inverters) = (collusion, knowledge, inverters)
  }
}

/// States with the text that they are of: a colluding client's, or an attacker's own.
package struct LabelledStates: Sendable {
  /// Token ids, one array a passage.
  package var passages: [[Int32]]
  /// [N, C], all passages packed.
  package var states: Matrix

  package init(passages: [[Int32]], states: Matrix) {
    precondition(passages.reduce(0) { $0 + $1.count } == states.rows, "states of \(states.rows) rows for other passages")
    (self.passages, self.states) = (passages, states)
  }
}

/// Tables that depend on public data only (anchors of every token at a cut, unigram counts), kept between the cells of a run.
package final class AttackerMemory: @unchecked Sendable {
  // Attacks of one run take turns on one thread; nothing else touches this table, hence @unchecked.
  private var tables: [String: any Sendable] = [:]

  package init() {}

  /// The table called `key`, made by `make` the first time.
  package func table<T: Sendable>(_ key: String, make: () throws -> T) rethrows -> T {
    if let known = tables[key] as? T { return known }
    let made = try make()
    tables[key] = made
    return made
  }
}

extension AdversaryView {
  /// The observation of a channel that the attack needs, or a fault that says so.
  package func required(_ channel: Channel, by attack: String) throws -> Observation {
    guard let observation = observations[channel] else {
      throw ViewFault.missingChannel(channel, attack: attack, present: observations.keys.map(\.rawValue).sorted())
    }
    return observation
  }
}
