import Diagnostics

/// A map of a plan, read key by key: refuses unknown keys on construction, and names place and dotted path in every error.
struct PlanMap {
  let path: String
  let place: PlanPlace
  private let entries: [String: PlanEntry]

  /// `keys` nil accepts every key (the method's own settings are checked later).
  init(_ node: PlanNode, path: String, keys: [String]?) throws {
    guard case .map(let list) = node.content else {
      let what = path.isEmpty ? "a plan" : "\"\(path)\""
      throw Fault(
        .invalidData, "\(what) must be a map of keys, found \(node.kind)", at: node.place.description,
        hint: keys.map { "its keys: \($0.joined(separator: ", "))" })
    }
    for entry in list {
      if let keys, !keys.contains(entry.key) { throw PlanMap.unknownKey(entry, path: path, keys: keys) }
    }
    (self.path, place) = (path, node.place)
    entries = Dictionary(list.map { ($0.key, $0) }) { first, _ in first }
  }

  static func unknownKey(_ entry: PlanEntry, path: String, keys: [String]) -> Fault {
    let within = path.isEmpty ? "" : " in \"\(path)\""
    let hint = keys.isEmpty ? "it takes no settings" : nameHint(entry.key, among: keys)
    return Fault(.invalidData, "unknown key \"\(entry.key)\"\(within)", at: entry.keyPlace.description, hint: hint)
  }

  var keys: [String] { entries.keys.sorted() }
  func entry(_ key: String) -> PlanEntry? { entries[key].flatMap { $0.value.isNull ? nil : $0 } }
  func has(_ key: String) -> Bool { entry(key) != nil }
  func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  func optional(_ key: String) -> PlanValue? { entry(key).map { PlanValue(node: $0.value, path: name(key)) } }

  func required(_ key: String, hint: String? = nil) throws -> PlanValue {
    guard let value = optional(key) else {
      throw Fault(.invalidData, "\"\(name(key))\" is missing", at: place.description, hint: hint)
    }
    return value
  }
}

/// One value with its dotted path: typed access that throws a located `Fault`.
struct PlanValue {
  let node: PlanNode
  let path: String

  func fault(_ message: String, hint: String? = nil) -> Fault {
    Fault(.invalidData, message, at: node.place.description, hint: hint)
  }

  private func expected(_ what: String, hint: String? = nil) -> Fault {
    fault("\"\(path)\" must be \(what), found \(node.kind)", hint: hint)
  }

  /// Text, not empty, without characters that drive a terminal or turn the direction of text, other than line breaks; at most `limit` bytes.
  func text(limit: Int = 4_096) throws -> String {
    guard case .scalar(.string(let text)) = node.content else {
      if case .scalar(.number) = node.content { throw expected("text", hint: "put it in quotes") }
      throw expected("text")
    }
    guard !text.isEmpty else { throw expected("text") }
    guard text.utf8.count <= limit else { throw fault("\"\(path)\" has \(text.utf8.count) bytes, at most \(limit) are allowed") }
    let onOneLine = String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\n" && $0 != "\t" }))
    guard escapingControls(onOneLine) == onOneLine else {
      throw fault("\"\(path)\" holds a control character")
    }
    return text
  }

  func integer(in range: ClosedRange<Int>) throws -> Int {
    guard case .scalar(.number(let number)) = node.content, let integer = Int(exactly: number) else { throw expected("an integer") }
    guard range.contains(integer) else {
      throw fault("\"\(path)\" is \(integer), outside \(range.lowerBound)…\(range.upperBound)")
    }
    return integer
  }

  func number(in range: ClosedRange<Double>) throws -> Double {
    guard case .scalar(.number(let number)) = node.content, number.isFinite else { throw expected("a finite number") }
    guard range.contains(number) else {
      let (low, high) = (SettingValue.number(range.lowerBound).label, SettingValue.number(range.upperBound).label)
      throw fault("\"\(path)\" is \(SettingValue.number(number).label), outside \(low)…\(high)")
    }
    return number
  }

  /// One of `known`; `what` is the noun of the message (`attack`).
  func name(_ what: String, among known: some Collection<String>) throws -> String {
    let name = try text(limit: 200)
    guard known.contains(name) else { throw fault("unknown \(what) \"\(name)\"", hint: nameHint(name, among: known)) }
    return name
  }

  func list(_ what: String) throws -> [PlanValue] {
    guard case .list(let items) = node.content else { throw expected("a list of \(what)") }
    guard !items.isEmpty else { throw fault("\"\(path)\" is an empty list") }
    return items.enumerated().map { PlanValue(node: $1, path: "\(path).\($0)") }
  }

  /// The words of a command line: a list of texts and numbers, or one text that is split at spaces.
  private func words() throws -> [String] {
    if case .list = node.content {
      return try list("words").map { item in
        if case .scalar(.number(let number)) = item.node.content { return SettingValue.number(number).label }
        return try item.text()
      }
    }
    let words = try text().split(separator: " ").map(String.init)
    guard !words.isEmpty else { throw expected("a command") }
    return words
  }

  /// The value under a rule; under nil, any scalar or list of scalars.
  func setting(_ rule: SettingRule?) throws -> SettingValue {
    switch rule {
    case .integer(let range): return .number(Double(try integer(in: range)))
    case .number(let range): return .number(try number(in: range))
    case .choice(let names): return .string(try name("\"\(path)\"", among: names))
    case .text: return .string(try text())
    case .words: return .list(try words().map { .string($0) })
    case .flag:
      guard case .scalar(.bool(let flag)) = node.content else { throw expected("true or false") }
      return .bool(flag)
    case nil:
      switch node.content {
      case .scalar(let value): return value
      case .list(let items):
        return .list(
          try items.map {
            guard case .scalar(let value) = $0.content else { throw expected("a value or a list of values") }
            return value
          })
      case .map: throw expected("a value or a list of values")
      }
    }
  }
}
