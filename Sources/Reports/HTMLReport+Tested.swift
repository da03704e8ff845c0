import Audit

extension HTMLReport {
  /// Threat model, data, model, defense, attacks and the table of channels.
  var tested: Markup {
    let model = record.threatModel
    let checkpoint = record.checkpoint
    let rows: [(String, Markup)] = [
      ("Who attacks", "\(Self.roles[model.role] ?? model.role.rawValue)"),
      ("What they know", "\(model.knowledge.rawValue): \(Self.knowledge[model.knowledge] ?? "")"),
      ("Public text they may use", "\(model.auxiliary ?? "none stated")"),
      (
        "Private data",
        "\(record.dataset.name), \(NumberText.grouped(record.dataset.documents)) documents, \(NumberText.grouped(record.dataset.tokens)) tokens"
      ),
      (
        "Model",
        """
        \(checkpoint.name), \(NumberText.grouped(checkpoint.parameters)) parameters, \(checkpoint.blocks) blocks; \
        p is the number of blocks the client runs before it sends hidden states
        """
      ),
      ("Defense", "\(record.defense.summary)"),
    ]
    let attacks = findings.attacks.map { attack -> Markup in
      let method = AttackName.description(of: attack.name, record)
      let paper = method.map { $0.paper.isEmpty || $0.paper == "control" ? "" : " (\($0.paper))" } ?? ""
      return
        "<dt>\(findings.label(attack))\(attack.isBaseline ? ", baseline" : "")</dt><dd>\(method?.summary ?? NumberText.missing)\(paper)</dd>"
    }
    let attackList: Markup = attacks.isEmpty ? "" : "<h3>Attacks, strongest first</h3><dl class=\"plain\">\(attacks)</dl>"
    return """
      <dl class="plain">\(rows.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>" as Markup })</dl>
      <h3>What crosses the boundary</h3>\(coverage)\(attackList)
      """
  }

  private var coverage: Markup {
    let stated = record.coverage ?? Self.derivedCoverage(record)
    let rows = stated.map { item -> Markup in
      let status =
        switch item.protection {
        case .protected: "protected"
        case .unprotected: "unprotected"
        case .notExamined: "not examined"
        }
      let plain: Markup = Self.channelNames[item.channel].map { "\($0)<br/><span class=\"ci\">\(item.channel)</span>" } ?? "\(item.channel)"
      let attacked = record.results.contains { $0.channel == item.channel } ? "attacked" : "–"
      return
        "<tr><th scope=\"row\">\(plain)</th><td>\(attacked)</td><td class=\"nowrap\">\(status)</td><td class=\"words\">\(item.note)</td></tr>"
    }
    let source: Markup =
      record.coverage == nil
      ? "<p class=\"note\">The record does not state its coverage; this table is derived from its threat model and its noise settings.</p>"
      : ""
    return scrolling(
      "Channels",
      """
      <table><thead><tr><th scope="col">Channel</th><th scope="col">In this audit</th><th scope="col">Defense</th><th scope="col">Note</th>\
      </tr></thead><tbody class="rows">\(rows)</tbody></table>
      """) + source
  }

  /// What can be said of the channels from the noise settings alone: noise sits on the input cut, everything else is as sent.
  static func derivedCoverage(_ record: AuditRecord) -> [ChannelCoverage] {
    let isNoisy = record.results.contains { !NoisePoint(settings: $0.settings).isClean }
    let observed = Set(record.threatModel.channels.map(\.rawValue) + record.results.map(\.channel))
    var rows: [ChannelCoverage] = []
    for channel in Channel.allCases {
      let isCut = channel == .inputHiddenStates
      if !observed.contains(channel.rawValue) {
        rows.append(
          ChannelCoverage(channel: channel.rawValue, protection: .notExamined, note: "the adversary of this audit does not see it"))
      } else if isCut && isNoisy {
        rows.append(
          ChannelCoverage(channel: channel.rawValue, protection: .protected, note: "noise in every cell that has some; clean in the others")
        )
      } else {
        rows.append(ChannelCoverage(channel: channel.rawValue, protection: .unprotected, note: "no defense recorded"))
      }
    }
    let other = ["loss values (training)", "timing and message sizes"]
    return rows + other.map { ChannelCoverage(channel: $0, protection: .notExamined, note: "not recorded by this run") }
  }

  static let channelNames = [
    Channel.inputHiddenStates.rawValue: "hidden states that the client sends",
    Channel.outputHiddenStates.rawValue: "hidden states that the server sends back",
    Channel.outputGradients.rawValue: "loss gradients that the client sends back in training",
    Channel.inputGradients.rawValue: "loss gradients that the server returns in training",
    Channel.queries.rawValue: "queries that the server computes",
    Channel.keys.rawValue: "keys in the server's cache",
    Channel.values.rawValue: "values in the server's cache",
    Channel.attentionMaps.rawValue: "attention maps that the server computes",
    Channel.queryWeightGradients.rawValue: "weight gradients of the client's blocks, on their way to be averaged",
    Channel.lengths.rawValue: "text lengths and positions",
  ]

  private static let roles: [ThreatModel.Role: String] = [
    .honestButCuriousServer: "the server itself: it follows the protocol and tries to read the client's text from what it receives",
    .colludingClient: "the server together with another client who shares labelled examples",
    .coTenant: "another tenant who sees what the server keeps",
  ]

  private static let knowledge: [ThreatModel.Knowledge: String] = [
    .k0: "no weights of the client's part, no queries to it", .k1: "the public base weights of the client's part, not its adapters",
    .k2: "the exact weights of the client's part",
    .k3: "the exact weights, labelled pairs from another client, and the noise law with its parameter",
  ]
}

extension SettingValue {
  /// The label, lists with a space after the comma.
  fileprivate var spaced: String { if case .list(let list) = self { list.map(\.label).joined(separator: ", ") } else { label } }

  /// `name (key value, …)` for a defense, or the plain label.
  var summary: String {
    guard case .map(let map) = self else { return label }
    let rest = map.filter { $0.key != "name" }.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.spaced)" }.joined(separator: ", ")
    let name = map["name"]?.label ?? ""
    return name.isEmpty ? (rest.isEmpty ? "none stated" : rest) : (rest.isEmpty ? name : "\(name) (\(rest))")
  }
}
