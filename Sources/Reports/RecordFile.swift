package import Audit
import Diagnostics
package import Foundation

/// record.json: written whole, read strictly.
package enum RecordFile {
  package static let name = "record.json"
  /// The schema this version writes.
  package static let schemaVersion = 2
  /// The oldest schema it still reads; what came later is nil in such a record.
  package static let oldestSchemaVersion = 1
  /// Largest record read, bytes.
  static let limit = 256 << 20

  /// The record as JSON with sorted keys and a final line feed; equal records give equal bytes.
  ///
  /// - Throws: `Fault` 70 if a number is not finite or an array has a wrong length (an error of the caller, told before any file is touched).
  package static func encode(_ record: AuditRecord) throws -> Data {
    if let problem = record.firstProblem() { throw Fault(.internalError, "the record is not valid: \(problem)") }
    var data = try encodeJSON(record, pretty: true)
    data.append(0x0A)
    return data
  }

  /// Reads a record from JSON; `location` names it in errors.
  ///
  /// - Throws: `Fault` 65 for broken JSON, an unknown schema version, a missing or mistyped key, or contradictory numbers.
  package static func decode(_ data: Data, location: String = name) throws -> AuditRecord {
    struct Version: Decodable {
      var schemaVersion: Int
      enum CodingKeys: String, CodingKey { case schemaVersion = "schema_version" }
    }
    let version = try decodeJSON(Version.self, from: data, location: location).schemaVersion
    guard (oldestSchemaVersion...schemaVersion).contains(version) else {
      throw Fault(
        .invalidData, "schema_version is \(version), this program reads \(oldestSchemaVersion) to \(schemaVersion)", at: location,
        hint: version > schemaVersion ? "use a newer fedsea-audit" : "run the audit again")
    }
    let record = try decodeJSON(AuditRecord.self, from: data, location: location)
    if let problem = record.firstProblem() { throw Fault(.invalidData, problem, at: location) }
    return record
  }

  /// Writes `record.json` into a run's folder, atomically.
  package static func write(_ record: AuditRecord, toDirectory directory: URL) throws {
    try AtomicFile.write(encode(record), to: directory.appendingPathComponent(name))
  }

  /// Reads `record.json` from a run's folder.
  package static func read(fromDirectory directory: URL) throws -> AuditRecord {
    let url = directory.appendingPathComponent(name)
    return try decode(AtomicFile.read(url, limit: limit), location: url.path)
  }
}

/// JSON with sorted keys and plain slashes. - Throws: `Fault` 70 with the path of a number that is not finite.
func encodeJSON(_ value: some Encodable, pretty: Bool) throws -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
  do { return try encoder.encode(value) } catch EncodingError.invalidValue(let found, let context) {
    throw Fault(.internalError, "\(path(context.codingPath)) is \(found), which JSON cannot hold")
  }
}

/// Decodes JSON, turning every decoding error into a `Fault` 65 that names the path.
func decodeJSON<T: Decodable>(_ type: T.Type, from data: Data, location: String) throws -> T {
  func fault(_ message: String) -> Fault { Fault(.invalidData, message, at: location) }
  do { return try JSONDecoder().decode(type, from: data) } catch DecodingError.keyNotFound(let key, let context) {
    throw fault("\"\(path(context.codingPath + [key]))\" is missing")
  } catch DecodingError.typeMismatch(let wanted, let context) {
    throw fault("\(path(context.codingPath)) is not a \(wanted)")
  } catch DecodingError.valueNotFound(let wanted, let context) {
    throw fault("\(path(context.codingPath)) is null, expected a \(wanted)")
  } catch DecodingError.dataCorrupted(let context) {
    let detail = (context.underlyingError as NSError?)?.userInfo["NSDebugDescription"] as? String
    throw fault("broken JSON at \(path(context.codingPath)): \(detail ?? context.debugDescription)")
  } catch {
    throw fault("broken JSON: \((error as NSError).localizedDescription)")
  }
}

private func path(_ keys: [any CodingKey]) -> String {
  keys.isEmpty
    ? "the top level" : keys.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined().drop { $0 == "." }.description
}
