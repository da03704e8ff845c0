package import Audit
import Diagnostics
package import Foundation

/// samples.jsonl: one line per sample × attack. It may hold private text; reports redact it unless told otherwise.
package enum SampleFile {
  package static let name = "samples.jsonl"
  static let limit = 1 << 30

  /// One JSON object a line, keys sorted, each line ended by a line feed.
  ///
  /// - Throws: `Fault` 70 if a number is not finite.
  package static func encode(_ samples: [SampleRecord]) throws -> Data {
    var data = Data()
    for sample in samples {
      data.append(try encodeJSON(sample, pretty: false))
      data.append(0x0A)
    }
    return data
  }

  /// Reads every line. With `allowTornEnd`, a last line without a line feed that does not parse is dropped: what a killed run leaves.
  ///
  /// - Throws: `Fault` 65 with the line's number for broken JSON or counts that contradict each other.
  package static func decode(_ data: Data, location: String = name, allowTornEnd: Bool = false) throws -> [SampleRecord] {
    var samples: [SampleRecord] = []
    let lines = data.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where !line.isEmpty {
      let place = "\(location):\(index + 1)"
      do {
        let sample = try decodeJSON(SampleRecord.self, from: Data(line), location: place)
        guard sample.matchingTokens >= 0, sample.matchingTokens <= sample.tokens, sample.document >= 0, sample.tokenAccuracy.isFinite else {
          throw Fault(
            .invalidData, "\(sample.matchingTokens) of \(sample.tokens) tokens of document \(sample.document) cannot match", at: place)
        }
        samples.append(sample)
      } catch {
        if allowTornEnd, index == lines.count - 1 { break }
        throw error
      }
    }
    return samples
  }

  /// Writes `samples.jsonl` into a run's folder, atomically.
  package static func write(_ samples: [SampleRecord], toDirectory directory: URL) throws {
    try AtomicFile.write(encode(samples), to: directory.appendingPathComponent(name))
  }

  /// Reads `samples.jsonl` from a run's folder; nil if the run kept none.
  package static func read(fromDirectory directory: URL, allowTornEnd: Bool) throws -> [SampleRecord]? {
    let url = directory.appendingPathComponent(name)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    return try decode(AtomicFile.read(url, limit: limit), location: url.path, allowTornEnd: allowTornEnd)
  }
}
