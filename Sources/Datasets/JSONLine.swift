import Diagnostics
import Foundation

/// One line of JSONL: an object, of which one key holds the text.
enum JSONLine {
  private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private struct Object: Decodable {
    var keys: [String]
    var text: String?
    var hasColumn: Bool

    init(from decoder: any Decoder) throws {
      let column = decoder.userInfo[JSONLine.columnKey] as? String ?? "text"
      let map = try decoder.container(keyedBy: AnyKey.self)
      keys = map.allKeys.map(\.stringValue)
      hasColumn = map.contains(AnyKey(column))
      text = try? map.decode(String.self, forKey: AnyKey(column))
    }
  }

  private static let columnKey = CodingUserInfoKey(rawValue: "column")!

  /// The text under `column` (nil: `text`). Throws `Fault` 65 for broken JSON, a missing column and a value that is not text.
  static func text(in line: String, column: String?, place: String) throws -> String {
    let name = column ?? "text"
    let decoder = JSONDecoder()
    decoder.userInfo[columnKey] = name
    let object: Object
    do { object = try decoder.decode(Object.self, from: Data(line.utf8)) } catch DecodingError.typeMismatch {
      throw Fault(.invalidData, "the line is not a JSON object", at: place, hint: "one object a line: {\"\(name)\": \"…\"}")
    } catch {
      throw Fault(.invalidData, "the line is not valid JSON", at: place, hint: "one object a line: {\"\(name)\": \"…\"}")
    }
    guard object.hasColumn else {
      throw Fault(.invalidData, "there is no key \"\(name)\"", at: place, hint: nameHint(name, among: object.keys))
    }
    guard let text = object.text else { throw Fault(.invalidData, "the value of \"\(name)\" is not text", at: place) }
    return text
  }
}
