/// Who attacks, what they see, and what they know before they look.
package struct ThreatModel: Sendable, Hashable, Codable {
  package enum Role: String, Sendable, Codable, CaseIterable {
    case honestButCuriousServer = "honest-but-curious-server"
    case colludingClient = "colluding-client"
    case coTenant = "co-tenant"
  }

  /// Knowledge levels, weakest first.
  package enum Knowledge: String, Sendable, Codable, CaseIterable, Comparable {
    /// Black box: neither weights of A nor queries.
    case k0 = "K0"
    /// Base weights of A and C; the victim's adapters are unknown.
    case k1 = "K1"
    /// Exact weights of A (and C).
    case k2 = "K2"
    /// K2, labelled pairs from a colluding client, and the noise law with its parameter.
    case k3 = "K3"

    package static func < (a: Knowledge, b: Knowledge) -> Bool { a.rawValue < b.rawValue }
  }

  /// Whether the attacker knows how much noise a defense adds. Its law is always known (Kerckhoffs).
  package enum NoiseKnowledge: String, Sendable, Codable, CaseIterable { case known, withheld }

  package var role: Role
  package var knowledge: Knowledge
  package var channels: [Channel]
  /// The public text the attacker may learn from: a dataset name, or nil.
  package var auxiliary: String?
  /// Known where it is not said.
  package var noise: NoiseKnowledge?

  package init(role: Role, knowledge: Knowledge, channels: [Channel], auxiliary: String? = nil) {
    (self.role, self.knowledge, self.channels, self.auxiliary) = (role, knowledge, channels, auxiliary)
  }

  /// Whether a client shares what it sent, with its own text. At K1 its fine-tuning is known and the victim's is not.
  package var hasLabelledPairs: Bool { role == .colludingClient || knowledge == .k3 }
}

/// A kind of message or state that an adversary of a split LLaMA can observe. The raw value is its path in view.h5.
package enum Channel: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
  /// h̃_A, what the client sends at the input cut (O1, O2): [N, C].
  case inputHiddenStates = "input_cut/hidden_states"
  /// h_B, what the server sends back at the output cut (O7): [N, C].
  case outputHiddenStates = "output_cut/hidden_states"
  /// ∂L/∂h_B, what the client sends back in training (O8): [N, C].
  case outputGradients = "gradients/output_cut"
  /// ∂L/∂h_A, what the server returns for it (O9): [N, C].
  case inputGradients = "gradients/input_cut"
  /// Rotated queries of chosen server blocks (O4): [N, blocks · H·D].
  case queries = "server/queries"
  /// Rotated keys of chosen server blocks, as a cache holds them (O4, O5): [N, blocks · G·D].
  case keys = "server/keys"
  /// Values of chosen server blocks, as a cache holds them (O4, O5): [N, blocks · G·D].
  case values = "server/values"
  /// Attention probabilities of chosen heads of chosen server blocks (O4): [N, blocks · heads · longest document], row t of every map, zeros
  /// beyond its own position.
  case attentionMaps = "server/attention_maps"
  /// ∂L/∂W_Q of the client's blocks, as they pass through the server to be averaged (O11): [messages · H·D, blocks · C].
  case queryWeightGradients = "rounds/query_weight_gradients"
  /// Document lengths and positions (O6).
  case lengths = "metadata/lengths"

  /// Whether row t of a document is about its token t; otherwise rows belong to training messages.
  package var isPerToken: Bool { self != .queryWeightGradients }

  /// Exists in training only.
  package var isOfTraining: Bool { [.outputGradients, .inputGradients, .queryWeightGradients].contains(self) }

  /// What the server computes from h̃_A with its own weights: no new information beyond it.
  package var isServerInternal: Bool { [.queries, .keys, .values, .attentionMaps].contains(self) }
}

extension ThreatModel.Role {
  /// Channels that somebody in this role can come to see.
  package var observable: [Channel] {
    switch self {
    case .honestButCuriousServer, .colludingClient: Channel.allCases
    // Another user of the same server, or a thief of its memory or disk: what outlives a request there.
    case .coTenant: [.keys, .values, .lengths]
    }
  }
}
