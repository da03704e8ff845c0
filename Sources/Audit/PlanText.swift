import Diagnostics
import Yams

/// YAML text → `PlanNode`, safe on hostile text: the parser recurses and expands aliases, so its input is bounded first.
enum PlanText {
  static let maximumBytes = 256 * 1024
  static let maximumBrackets = 1_000
  static let maximumIndent = 200
  static let maximumDashesPerLine = 32
  static let maximumAliases = 12
  static let maximumNodes = 50_000
  static let maximumDepth = 32

  /// Parses one YAML document. `line` overrides the lines (for `--set`). Throws `Fault` 65 for everything that is not a plain tree.
  static func parse(_ text: String, origin: String, showingLines: Bool = true) throws -> PlanNode {
    func place(_ line: Int?) -> PlanPlace { PlanPlace(origin: origin, line: showingLines ? line : nil) }
    try refuseHostileShapes(text, place)
    let root: Node?
    do {
      root = try compose(yaml: text, .basic, .default, .utf8)
    } catch let error as YamlError {
      throw fault(error, place)
    }
    guard let root else { throw Fault(.invalidData, "the plan is empty", at: place(nil).description, hint: "see attacks/README.md") }
    var budget = maximumNodes
    return try convert(root, place, depth: 0, parent: 1, budget: &budget)
  }

  /// Bounds nesting and alias expansion before the recursive parser sees the text. One pass over bytes, deliberately blind to quoting.
  private static func refuseHostileShapes(_ text: String, _ place: (Int?) -> PlanPlace) throws {
    func refuse(_ what: String, _ line: Int) -> Fault {
      Fault(.invalidData, "\(what): this is no plan", at: place(line).description, hint: "plans are short and flat; see attacks/README.md")
    }
    guard text.utf8.count <= maximumBytes else { throw refuse("more than \(maximumBytes) bytes", 1) }
    var (line, indent, dashes, brackets, aliases) = (1, 0, 0, 0, 0)
    var atStart = true
    var previous: UInt8 = 0x0A
    for byte in text.utf8 {
      if previous == UInt8(ascii: "*"), isWord(byte) { aliases += 1 }
      if previous == UInt8(ascii: "-") || previous == UInt8(ascii: "?"), byte <= 0x20 { dashes += 1 }
      switch byte {
      case 0x0A, 0x0D: (line, indent, dashes, atStart) = (line + (byte == 0x0A ? 1 : 0), 0, 0, true)
      case 0x20: if atStart { indent += 1 }
      case UInt8(ascii: "["), UInt8(ascii: "{"): (brackets, atStart) = (brackets + 1, false)
      default: atStart = false
      }
      previous = byte
      if indent > maximumIndent { throw refuse("a line is indented by more than \(maximumIndent) spaces", line) }
      if dashes > maximumDashesPerLine { throw refuse("more than \(maximumDashesPerLine) list marks in one line", line) }
      if brackets > maximumBrackets { throw refuse("more than \(maximumBrackets) brackets", line) }
      if aliases > maximumAliases { throw refuse("more than \(maximumAliases) aliases (*name)", line) }
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte >= 0x80
    }
  }

  private static func convert(_ node: Node, _ place: (Int?) -> PlanPlace, depth: Int, parent: Int, budget: inout Int) throws -> PlanNode {
    let line = node.mark?.line ?? parent
    let here = place(line)
    budget -= 1
    guard budget >= 0 else { throw Fault(.invalidData, "the plan has more than \(maximumNodes) values", at: here.description) }
    guard depth <= maximumDepth else { throw Fault(.invalidData, "nested deeper than \(maximumDepth) levels", at: here.description) }
    switch node {
    case .scalar(let scalar):
      return PlanNode(content: .scalar(try value(of: scalar, here)), place: here)
    case .sequence(let sequence):
      try refuseTag(sequence.tag.description, standard: "seq", here)
      let items = try sequence.map { try convert($0, place, depth: depth + 1, parent: line, budget: &budget) }
      return PlanNode(content: .list(items), place: here)
    case .mapping(let mapping):
      try refuseTag(mapping.tag.description, standard: "map", here)
      var entries: [PlanEntry] = []
      var seen: Set<String> = []
      for (key, value) in mapping {
        let keyPlace = place(key.mark?.line ?? line)
        guard case .scalar(let scalar) = key, !scalar.string.isEmpty else {
          throw Fault(.invalidData, "a key must be a word", at: keyPlace.description)
        }
        guard seen.insert(scalar.string).inserted else {
          throw Fault(.invalidData, "key \"\(scalar.string)\" appears twice", at: keyPlace.description)
        }
        let child = try convert(value, place, depth: depth + 1, parent: keyPlace.line ?? line, budget: &budget)
        entries.append(PlanEntry(key: scalar.string, keyPlace: keyPlace, value: child))
      }
      return PlanNode(content: .map(entries), place: here)
    case .alias:
      throw Fault(.invalidData, "an alias without a value", at: here.description)
    }
  }

  private static func refuseTag(_ tag: String, standard: String, _ place: PlanPlace) throws {
    guard tag.isEmpty || tag == "tag:yaml.org,2002:\(standard)" else {
      throw Fault(.invalidData, "plans use no YAML tags, found \"\(tag)\"", at: place.description)
    }
  }

  /// YAML's core schema, narrowed: null/~, true/false, decimal numbers; anything else, and anything quoted, is text.
  private static func value(of scalar: Node.Scalar, _ place: PlanPlace) throws -> SettingValue {
    let text = scalar.string
    try refuseTag(scalar.tag.description, standard: "str", place)
    guard scalar.style == .plain, scalar.tag.description.isEmpty else { return .string(text) }
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    default: break
    }
    guard text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }), let number = Double(text) else { return .string(text) }
    guard number.isFinite else { throw Fault(.invalidData, "the number \(text) is out of range", at: place.description) }
    if !text.utf8.contains(where: { ".eE".utf8.contains($0) }), abs(number) > 9_007_199_254_740_992 {
      throw Fault(.invalidData, "the integer \(text.prefix(40)) is out of range", at: place.description, hint: "at most 2^53")
    }
    return .number(number)
  }

  private static func fault(_ error: YamlError, _ place: (Int?) -> PlanPlace) -> Fault {
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let inside = context.map { " (\($0.text), line \($0.mark.line))" } ?? ""
      return Fault(.invalidData, "not valid YAML: \(problem)\(inside)", at: place(mark.line).description)
    case .duplicatedKeysInMapping(let duplicates, let context):
      return Fault(
        .invalidData, "key \"\(duplicates.first ?? "?")\" appears twice", at: place(context.mark.line).description)
    case .reader(let problem, let offset, _, let yaml):
      let line = offset.map { at in yaml.utf8.prefix(max(0, at)).reduce(1) { $1 == 0x0A ? $0 + 1 : $0 } }
      return Fault(.invalidData, "not valid YAML: \(problem)", at: place(line).description)
    case .memory:
      return Fault(.internalError, "the YAML parser ran out of memory", at: place(nil).description)
    case .no, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      return Fault(.invalidData, "not valid YAML", at: place(nil).description)
    }
  }
}
