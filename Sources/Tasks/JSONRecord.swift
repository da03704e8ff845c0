import Diagnostics
import Foundation

/// One line of JSONL, or a whole file of JSON, as a record of known keys.
enum JSONRecord {
  /// Throws `Fault` 65 at `place`: not an object, broken JSON, a missing key, a null or a value of another type, with the key's path.
  static func decode<T: Decodable>(_ type: T.Type, _ line: String, _ place: String) throws -> T {
    try decode(type, Data(line.utf8), place, what: "line", hint: "one object a line")
  }

  /// A file's bytes as one object. Throws as `decode` does.
  static func document<T: Decodable>(_ type: T.Type, _ bytes: [UInt8], _ place: String) throws -> T {
    try decode(type, Data(bytes), place, what: "file", hint: "was it cut short?")
  }

  private static func decode<T: Decodable>(
    _ type: T.Type, _ data: Data, _ place: String, what: String, hint: String
  ) throws -> T {
    do { return try JSONDecoder().decode(type, from: data) } catch DecodingError.keyNotFound(let key, let context) {
      let labels = key.stringValue == "label" ? "the official test files carry no labels; take train.jsonl or val.jsonl" : nil
      throw Fault(.invalidData, "there is no key \"\(path(context.codingPath + [key]))\"", at: place, hint: labels)
    } catch DecodingError.typeMismatch(let expected, let context) {
      throw mismatch(expected, context, place, what)
    } catch DecodingError.valueNotFound(let expected, let context) {
      throw mismatch(expected, context, place, what)
    } catch {
      throw Fault(.invalidData, "the \(what) is not valid JSON", at: place, hint: hint)
    }
  }

  private static func mismatch(_ expected: any Any.Type, _ context: DecodingError.Context, _ place: String, _ what: String) -> Fault {
    let kind =
      switch expected {
      case is String.Type: "text"
      case is Int.Type: "a whole number"
      case is Bool.Type: "true or false"
      case is [Any].Type: "an array"
      default: "an object"
      }
    guard !context.codingPath.isEmpty else {
      return Fault(.invalidData, "the \(what) is not a JSON object", at: place, hint: what == "line" ? "one object a line" : nil)
    }
    return Fault(.invalidData, "\"\(path(context.codingPath))\" is not \(kind)", at: place)
  }

  /// For example `passage.questions[0].idx`.
  private static func path(_ keys: [any CodingKey]) -> String {
    keys.reduce("") { text, key in
      if let index = key.intValue { return text + "[\(index)]" }
      return text.isEmpty ? key.stringValue : "\(text).\(key.stringValue)"
    }
  }
}
