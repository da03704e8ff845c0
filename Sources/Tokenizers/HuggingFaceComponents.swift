import Checkpoints
import Diagnostics

/// The normalizer and pre-tokenizer of a tokenizer.json. A component or an option that is not known is a `Fault`, never skipped.
enum HuggingFaceComponents {
  static func normalizer(_ json: ByteJSON) throws -> [NormalizerStep] {
    if json.isNull { return [] }
    switch json["type"].asText {
    case "Sequence": return try list(json["normalizers"], "normalizers").flatMap { try normalizer($0) }
    case "NFC": return [.composed]
    case "Prepend":
      guard let prefix = json["prepend"].asBytes else { throw malformed("normalizer", "Prepend") }
      return [.prepend(prefix)]
    case "Replace":
      guard let pattern = json["pattern"]["String"].asBytes, !pattern.isEmpty, let content = json["content"].asBytes else {
        throw malformed("normalizer", "Replace (only with a string)")
      }
      return [.replace(pattern, with: content)]
    case let name: throw unknown("normalizer", name, ["Sequence", "NFC", "Prepend", "Replace"])
    }
  }

  /// The steps, and whether the vocabulary is written in the byte alphabet.
  static func preTokenizer(_ json: ByteJSON) throws -> (steps: [PreTokenizerStep], isByteLevel: Bool) {
    if json.isNull { return ([], false) }
    switch json["type"].asText {
    case "Sequence":
      let parts = try list(json["pretokenizers"], "pretokenizers").map { try preTokenizer($0) }
      // After ByteLevel the text is in another alphabet, where none of our steps would mean what it says.
      guard parts.dropLast().allSatisfy({ !$0.isByteLevel }) else {
        throw Fault(.invalidData, "a pre-tokenizer after ByteLevel is not supported")
      }
      return (parts.flatMap(\.steps), parts.last?.isByteLevel ?? false)
    case "ByteLevel":
      let prefix = try flag(json["add_prefix_space"], "add_prefix_space", default: true)
      let cuts = try flag(json["use_regex"], "use_regex", default: true)
      return ((prefix ? [.prefixSpace] : []) + (cuts ? [.expression(.gpt2)] : []), true)
    case "Digits": return ([.digits(individually: try flag(json["individual_digits"], "individual_digits", default: false))], false)
    case "Split": return ([try split(json)], false)
    case "Metaspace": return ([try metaspace(json)], false)
    case let name: throw unknown("pre-tokenizer", name, ["Sequence", "ByteLevel", "Digits", "Split", "Metaspace"])
    }
  }

  private static func split(_ json: ByteJSON) throws -> PreTokenizerStep {
    guard let behavior = json["behavior"].asText.flatMap(SplitBehavior.init) else { throw malformed("pre-tokenizer", "Split") }
    let inverted = try flag(json["invert"], "invert", default: false)
    if let pattern = json["pattern"]["String"].asBytes, !pattern.isEmpty { return .literal(pattern, behavior, inverted: inverted) }
    guard let pattern = json["pattern"]["Regex"].asBytes else { throw malformed("pre-tokenizer", "Split") }
    guard let scanner = RegexScanner(pattern: pattern) else {
      throw Fault(
        .invalidData, "the regular expression \(String(decoding: pattern.prefix(300), as: UTF8.self)) of a Split is not supported",
        hint: "supported are those of GPT-2, Llama-3 and Qwen2")
    }
    // These expressions match every text, so inverted and removed matches would leave nothing or everything.
    guard behavior == .isolated && !inverted || behavior == .removed && inverted else {
      throw Fault(.invalidData, "a Split by regular expression with behavior \(behavior.rawValue) is not supported")
    }
    return .expression(scanner)
  }

  private static func metaspace(_ json: ByteJSON) throws -> PreTokenizerStep {
    guard let replacement = json["replacement"].asBytes, !replacement.isEmpty, scalar(in: replacement, at: 0).next == replacement.count
    else { throw malformed("pre-tokenizer", "Metaspace") }
    var scheme = PreTokenizerStep.PrependScheme.always
    if !json["prepend_scheme"].isNull {
      guard let named = json["prepend_scheme"].asText.flatMap(PreTokenizerStep.PrependScheme.init) else {
        throw malformed("pre-tokenizer", "Metaspace")
      }
      scheme = named
    }
    // The older spelling.
    if try !flag(json["add_prefix_space"], "add_prefix_space", default: true) { scheme = .never }
    return .metaspace(replacement: replacement, scheme, splits: try flag(json["split"], "split", default: true))
  }

  static func flag(_ json: ByteJSON, _ name: String, default value: Bool) throws -> Bool {
    if json.isNull { return value }
    guard let flag = json.asBool else { throw Fault(.invalidData, "\(name) is no bool") }
    return flag
  }

  private static func list(_ json: ByteJSON, _ name: String) throws -> [ByteJSON] {
    guard let list = json.asArray else { throw Fault(.invalidData, "\(name) is no array") }
    return list
  }

  private static func malformed(_ component: String, _ name: String) -> Fault {
    Fault(.invalidData, "the \(component) \(name) lacks a field or has one of a kind that is not supported")
  }

  private static func unknown(_ component: String, _ name: String?, _ known: [String]) -> Fault {
    guard let name else { return Fault(.invalidData, "a \(component) has no type") }
    return Fault(.invalidData, "the \(component) \"\(name)\" is not supported", hint: nameHint(name, among: known))
  }
}
