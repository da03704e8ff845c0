package import Audit
import Diagnostics

/// Reads the settings of a method from a plan and names the method when one is wrong.
package struct SettingReader {
  private let settings: [String: SettingValue]
  private let method: String

  package init(_ settings: [String: SettingValue], of method: String) {
    (self.settings, self.method) = (settings, method)
  }

  package func integer(_ key: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
    guard let given = settings[key] else { return value }
    guard let number = given.number, let whole = Int(exactly: number), range.contains(whole) else {
      throw wrong(key, "a whole number in \(range.lowerBound)...\(range.upperBound)", given)
    }
    return whole
  }

  package func real(_ key: String, default value: Double, in range: ClosedRange<Double>) throws -> Double {
    guard let given = settings[key] else { return value }
    guard let number = given.number, range.contains(number) else {
      throw wrong(key, "a number in \(range.lowerBound)...\(range.upperBound)", given)
    }
    return number
  }

  package func choice<T: RawRepresentable & CaseIterable>(_ key: String, default value: T) throws -> T where T.RawValue == String {
    guard let given = settings[key] else { return value }
    guard let text = given.text, let known = T(rawValue: text) else {
      throw wrong(key, "one of \(T.allCases.map(\.rawValue).joined(separator: ", "))", given)
    }
    return known
  }

  private func wrong(_ key: String, _ expected: String, _ given: SettingValue) -> Fault {
    Fault(.invalidData, "\(method): \(key) must be \(expected), not \(given.label)")
  }
}
