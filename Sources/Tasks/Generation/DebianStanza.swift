import Diagnostics

/// The fields of one package, as its lines come.
struct DebianStanza {
  struct Package {
    /// `package`, or `package/md5` where the stanza gives the description's checksum.
    var id: String
    /// As a reference.
    var synopsis: String
    /// Paragraphs and verbatim lines, each without line ends.
    var paragraphs: [String]
  }

  private(set) var line = 0
  private var fields: [String: String] = [:]
  private var current: String?
  private var paragraphs: [String] = []
  private var isOpen = false

  /// Adds a line that is not blank. Throws `Fault` 65 at `place` for a line without a field's name, a repeated field, and a continuation
  /// before any field.
  mutating func add(_ text: String, number: Int, at place: String) throws {
    if line == 0 { line = number }
    if let first = text.utf8.first, first == 0x20 || first == 0x09 {
      guard let current else { throw Fault(.invalidData, "a continuation line begins the stanza", at: place) }
      if current == "Description-en" { continueDescription(text) }
      return
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains(where: \.isWhitespace) else {
      throw Fault(.invalidData, "the line is no field", at: place, hint: "Package: name, or a line that begins with a blank")
    }
    let key = String(parts[0])
    guard fields.updateValue(Verbaliser.trimmed(parts[1]), forKey: key) == nil else {
      throw Fault(.invalidData, "the field \(key) is there already", at: place)
    }
    (current, isOpen) = (key, false)
  }

  /// ` .` ends a paragraph, two blanks begin a verbatim line, anything else goes on with the paragraph.
  private mutating func continueDescription(_ text: String) {
    let words = PlainText.oneLine(text)
    if words == "." {
      isOpen = false
    } else if isOpen, !text.hasPrefix("  "), let last = paragraphs.indices.last {
      paragraphs[last] += " " + words
    } else {
      paragraphs.append(words)
      isOpen = !text.hasPrefix("  ")
    }
  }

  /// The package; nil for a stanza without a line. Throws `Fault` 65 with the stanza's line in `file`.
  func package(in file: String) throws -> Package? {
    guard line > 0 else { return nil }
    let place = "\(file):\(line)"
    guard let name = fields["Package"] else { throw Fault(.invalidData, "the stanza has no field Package", at: place) }
    guard let text = fields["Description-en"] else {
      throw Fault(.invalidData, "\(name) has no field Description-en", at: place, hint: "bring a Translation-en file, no Packages file")
    }
    guard let synopsis = PlainText.reference(text) else { throw Fault(.invalidData, "the synopsis of \(name) is empty", at: place) }
    let package = try PlainText.checked(id: name, at: place)
    return Package(id: fields["Description-md5"].map { "\(package)/\($0)" } ?? package, synopsis: synopsis, paragraphs: paragraphs)
  }
}
