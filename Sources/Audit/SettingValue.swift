/// A value of a plan or a record: what YAML and JSON have in common.
package enum SettingValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case list([SettingValue])
  case map([String: SettingValue])
}

extension SettingValue: Codable {
  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let flag = try? value.decode(Bool.self) {
      self = .bool(flag)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .string(text)
    } else if let list = try? value.decode([SettingValue].self) {
      self = .list(list)
    } else {
      self = .map(try value.decode([String: SettingValue].self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .null: try value.encodeNil()
    case .bool(let flag): try value.encode(flag)
    case .number(let number): try number == number.rounded() && abs(number) < 1e15 ? value.encode(Int(number)) : value.encode(number)
    case .string(let text): try value.encode(text)
    case .list(let list): try value.encode(list)
    case .map(let map): try value.encode(map)
    }
  }
}

extension SettingValue {
  /// The value as shown in a cell name: numbers without a trailing `.0`.
  package var label: String {
    switch self {
    case .null: "null"
    case .bool(let flag): flag ? "true" : "false"
    case .number(let number): number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
    case .string(let text): text
    case .list(let list): list.map(\.label).joined(separator: ",")
    case .map(let map): map.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.label)" }.joined(separator: ",")
    }
  }

  package var number: Double? { if case .number(let number) = self { number } else { nil } }
  package var text: String? { if case .string(let text) = self { text } else { nil } }
}
