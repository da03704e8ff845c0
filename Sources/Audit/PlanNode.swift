/// Where a value of a plan was written: a line of a file, or a `--set` flag. Shown in front of every message about that value.
package struct PlanPlace: Sendable, Hashable, CustomStringConvertible {
  package var origin: String
  /// 1-based; nil for a value that no file holds.
  package var line: Int?

  package init(origin: String, line: Int? = nil) { (self.origin, self.line) = (origin, line) }
  package var description: String { line.map { "\(origin):\($0)" } ?? origin }
}

/// A value of a plan with its place: the tree that decoding, overrides and sweeps share, so that every error can name a line.
struct PlanNode: Sendable {
  enum Content: Sendable {
    case scalar(SettingValue)
    case list([PlanNode])
    case map([PlanEntry])
  }

  var content: Content
  var place: PlanPlace

  var isNull: Bool { if case .scalar(.null) = content { true } else { false } }

  /// What the node is, for a message: `the number 3`, `a list`.
  var kind: String {
    switch content {
    case .scalar(.null): "nothing"
    case .scalar(.bool(let flag)): "\(flag)"
    case .scalar(.number(let number)): "the number \(SettingValue.number(number).label)"
    case .scalar(.string(let text)): "\"\(text.prefix(60))\""
    case .scalar: "a value"
    case .list: "a list"
    case .map: "a map"
    }
  }

  /// The same value without places.
  var setting: SettingValue {
    switch content {
    case .scalar(let value): value
    case .list(let items): .list(items.map(\.setting))
    case .map(let entries): .map(Dictionary(entries.map { ($0.key, $0.value.setting) }) { _, last in last })
    }
  }
}

/// One `key: value` of a map, in the order of the file.
struct PlanEntry: Sendable {
  var key: String
  var keyPlace: PlanPlace
  var value: PlanNode
}

extension PlanNode {
  /// The node at `path`, or nil. A component that is a number indexes a list.
  func value(at path: some Collection<String>) -> PlanNode? {
    guard let first = path.first else { return self }
    switch content {
    case .map(let entries): return entries.first { $0.key == first }?.value.value(at: path.dropFirst())
    case .list(let items):
      guard let index = Int(first), items.indices.contains(index) else { return nil }
      return items[index].value(at: path.dropFirst())
    case .scalar: return nil
    }
  }

  /// The tree with `value` at `path`; maps that are missing on the way are made. Nil when the path crosses a scalar or leaves a list.
  func setting(_ value: PlanNode, at path: some Collection<String>) -> PlanNode? {
    guard let first = path.first else { return value }
    var copy = self
    switch content {
    case .map(var entries):
      if let index = entries.firstIndex(where: { $0.key == first }) {
        guard let inner = entries[index].value.setting(value, at: path.dropFirst()) else { return nil }
        entries[index].value = inner
        if path.count == 1 { entries[index].keyPlace = value.place }
      } else {
        let empty = PlanNode(content: .map([]), place: value.place)
        guard let inner = empty.setting(value, at: path.dropFirst()) else { return nil }
        entries.append(PlanEntry(key: first, keyPlace: value.place, value: inner))
      }
      copy.content = .map(entries)
    case .list(var items):
      guard let index = Int(first), items.indices.contains(index), let inner = items[index].setting(value, at: path.dropFirst()) else {
        return nil
      }
      items[index] = inner
      copy.content = .list(items)
    case .scalar(.null):
      return PlanNode(content: .map([]), place: place).setting(value, at: path)
    case .scalar: return nil
    }
    return copy
  }

  /// The map without the entries for which `drop` is true; other nodes unchanged.
  func removing(where drop: (String) -> Bool) -> PlanNode {
    guard case .map(let entries) = content else { return self }
    return PlanNode(content: .map(entries.filter { !drop($0.key) }), place: place)
  }
}
