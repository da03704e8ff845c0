import PrivateText

/// Values of placeholders that no table has. They look right (card and account numbers carry valid check digits) and belong to nobody.
enum MadeUpValue {
  /// Nil for an unknown placeholder.
  static func make(_ placeholder: String, _ draws: inout CounterGenerator) -> (text: String, kind: PrivateEntity.Kind?)? {
    func digits(_ count: Int) -> String { (0..<count).map { _ in String(draws.index(below: 10)) }.joined() }
    func pick(_ values: [String]) -> String { values[draws.index(below: values.count)] }
    switch placeholder {
    case "credit_card_number": return (card(pick(["4", "5"]) + digits(14)), .id)
    case "iban": return (iban(country: "DE", digits(18)), .id)
    case "ssn": return ("\(100 + draws.index(below: 566))-\(10 + draws.index(below: 90))-\(1000 + draws.index(below: 9000))", .id)
    case "us_driver_license": return (pick(["A", "D", "F", "K", "S", "W"]) + digits(7), .id)
    case "building_number": return (String(1 + draws.index(below: 9999)), .address)
    case "secondary_address": return (pick(["Apt. ", "Suite "]) + String(1 + draws.index(below: 999)), .address)
    case "ip_address": return ((0..<4).map { _ in String(1 + draws.index(below: 254)) }.joined(separator: "."), .network)
    case "year": return (String(1950 + draws.index(below: 75)), .date)
    case "day_of_week": return (pick(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]), .date)
    case "date_time":
      func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
      let (month, day) = (two(1 + draws.index(below: 12)), two(1 + draws.index(below: 28)))
      return ("\(1990 + draws.index(below: 35))-\(month)-\(day) \(two(draws.index(below: 24))):\(two(draws.index(below: 60)))", .date)
    default: return nil
    }
  }

  /// Fifteen digits and Luhn's check digit.
  static func card(_ digits: String) -> String {
    let sum = digits.reversed().enumerated().reduce(0) { sum, item in
      let digit = item.element.wholeNumberValue ?? 0
      let doubled = item.offset % 2 == 0 ? 2 * digit : digit
      return sum + (doubled > 9 ? doubled - 9 : doubled)
    }
    return digits + String((10 - sum % 10) % 10)
  }

  /// Country, two check digits (ISO 13616, modulo 97), account.
  static func iban(country: String, _ account: String) -> String {
    let letters = country.unicodeScalars.map { String(Int($0.value) - 55) }.joined()
    let rest = (account + letters + "00").reduce(0) { ($0 * 10 + ($1.wholeNumberValue ?? 0)) % 97 }
    let check = 98 - rest
    return country + (check < 10 ? "0\(check)" : String(check)) + account
  }
}
