import Diagnostics

/// What of the server's own tensors an audit records, and how texts are put together into training messages.
package struct CapturePlan: Sendable, Hashable {
  /// A block of the server, by place or by its number in the whole model.
  package enum Place: Sendable, Hashable {
    case first, middle, last
    /// Every block of the server.
    case all
    case block(Int)

    package var label: SettingValue {
      switch self {
      case .first: .string("first")
      case .middle: .string("middle")
      case .last: .string("last")
      case .all: .string("all")
      case .block(let number): .number(Double(number))
      }
    }
  }

  /// Blocks whose queries, keys, values and maps are recorded.
  package var places: [Place] = [.first]
  /// Heads whose maps are recorded; nil for all.
  package var heads: [Int]?
  /// Documents in one training message.
  package var batch = 1
  /// Blocks of the client, from the first, whose ∂L/∂W_Q are recorded.
  package var clientBlocks = 2

  package init() {}

  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: PlanKeys.capture)
    if let blocks = map.optional("blocks") {
      places = try blocks.list("blocks: first, middle, last, all or numbers").map { item in
        if case .scalar(.number) = item.node.content { return .block(try item.integer(in: 0...9_999)) }
        switch try item.name("block", among: ["first", "middle", "last", "all"]) {
        case "middle": return .middle
        case "last": return .last
        case "all": return .all
        default: return .first
        }
      }
    }
    heads = try map.optional("heads")?.list("heads").map { try $0.integer(in: 0...9_999) }
    batch = try map.optional("batch")?.integer(in: 1...1_000) ?? batch
    clientBlocks = try map.optional("client_blocks")?.integer(in: 1...64) ?? clientBlocks
  }

  /// Numbers of the recorded blocks, rising. Throws `Fault` 65 for a block that the server does not run.
  package func blocks(of server: Range<Int>) throws -> [Int] {
    let numbers = try places.flatMap { place in
      switch place {
      case .first: return [server.lowerBound]
      case .middle: return [(server.lowerBound + server.upperBound - 1) / 2]
      case .last: return [server.upperBound - 1]
      case .all: return Array(server)
      case .block(let number):
        guard server.contains(number) else {
          throw Fault(
            .invalidData, "capture.blocks names block \(number), but the server runs \(server.lowerBound)…\(server.upperBound - 1)")
        }
        return [number]
      }
    }
    guard !server.isEmpty else { throw Fault(.invalidData, "the server runs no block, so it has nothing to capture") }
    return Set(numbers).sorted()
  }

  /// Heads whose maps are recorded, rising. Throws `Fault` 65 for a head that the model does not have.
  package func heads(of count: Int) throws -> [Int] {
    guard let heads else { return Array(0..<count) }
    if let bad = heads.first(where: { $0 >= count }) { throw Fault(.invalidData, "capture.heads names head \(bad) of \(count)") }
    return Set(heads).sorted()
  }

  package var resolved: SettingValue {
    var map: [String: SettingValue] = [
      "blocks": .list(places.map(\.label)), "batch": .number(Double(batch)), "client_blocks": .number(Double(clientBlocks)),
    ]
    if let heads { map["heads"] = .list(heads.map { .number(Double($0)) }) }
    return .map(map)
  }
}

extension GradientDefensePlan {
  package var resolved: SettingValue {
    .map(["clip": .number(clip), "sigma": .number(sigma), "delta": .number(delta)])
  }
}
