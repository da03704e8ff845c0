import Diagnostics
import PrivateText

/// A row of the Fake Name Generator's table.
struct FakeIdentity {
  let number, gender: String
  private let title, givenName, surname, street, city, state, postcode, country, email, phone, birthday, age, occupation, company,
    domain: String

  private static let columns = [
    "Number", "Gender", "Title", "GivenName", "Surname", "StreetAddress", "City", "StateFull", "ZipCode", "CountryFull", "EmailAddress",
    "TelephoneNumber", "Birthday", "Age", "Occupation", "Company", "Domain",
  ]

  private init(_ fields: [String]) {
    (number, gender, title, givenName, surname) = (fields[0], fields[1], fields[2], fields[3], fields[4])
    (street, city, state, postcode, country) = (fields[5], fields[6], fields[7], fields[8], fields[9])
    (email, phone, birthday, age) = (fields[10], fields[11], fields[12], fields[13])
    (occupation, company, domain) = (fields[14], fields[15], fields[16])
  }

  /// All rows. Throws `Fault` 65 or 66 for a table that is not as expected.
  static func read(_ path: String) throws -> [FakeIdentity] {
    var table = CommaSeparated(try TextFile.bytes(of: path))
    let columns = try columns.map { try table.column($0, place: path) }
    var out: [FakeIdentity] = []
    while let record = try table.next(place: path) {
      out.append(FakeIdentity(try columns.map { try table.text(record, $0, place: path) }))
    }
    return out
  }

  /// One column of a table.
  static func column(_ name: String, of path: String) throws -> [String] {
    var table = CommaSeparated(try TextFile.bytes(of: path))
    let index = try table.column(name, place: path)
    var out: [String] = []
    while let record = try table.next(place: path) { out.append(try table.text(record, index, place: path)) }
    return out
  }

  /// What a placeholder for a name or a form of address stands for; nil for other placeholders. `other` gives somebody of a gender that the
  /// placeholder asks for and this person has not.
  func name(_ placeholder: String, orElse other: (String) -> FakeIdentity) -> String? {
    let gender = placeholder.hasSuffix("_female") ? "female" : placeholder.hasSuffix("_male") ? "male" : nil
    let person = gender.map { $0 == self.gender ? self : other($0) } ?? self
    let base = ["_female", "_male", "_nonbinary"].first(where: placeholder.hasSuffix).map { String(placeholder.dropLast($0.count)) }
    switch base ?? placeholder {
    case "person", "name": return "\(person.givenName) \(person.surname)"
    case "first_name": return person.givenName
    case "last_name": return person.surname
    case "prefix": return person.title
    default: return nil
    }
  }

  /// What the table has for another placeholder; nil if it has nothing.
  func value(_ placeholder: String) -> (text: String, kind: PrivateEntity.Kind?)? {
    switch placeholder {
    case "email": return (email, .email)
    case "phone_number": return (phone, .phone)
    case "address": return ("\(street), \(city) \(postcode)", .address)
    case "street_name":
      let words = street.split(separator: " ").filter { !$0.contains(where: \.isNumber) }
      return (words.isEmpty ? street : words.joined(separator: " "), .address)
    case "postcode", "zipcode": return (postcode, .address)
    case "city": return (city, .place)
    case "state_abbr": return (state.isEmpty ? city : state, .place)
    case "country": return (country, .place)
    case "organization": return (company.isEmpty ? "\(surname) & Co." : company, .organization)
    case "url": return ("https://www.\(domain)", .network)
    case "date_of_birth": return (birthday, .date)
    case "age": return (age, .demographic)
    case "job": return (occupation, .demographic)
    default: return nil
    }
  }
}
