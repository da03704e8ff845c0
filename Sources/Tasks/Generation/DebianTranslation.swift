import Diagnostics

/// Package descriptions of a Debian `Translation-en` file, as apt keeps it: the long one is the text, the synopsis its summary.
enum DebianTranslation {
  /// One example per stanza with a long description, in the file's order. Lines are joined to paragraphs; verbatim lines stay lines.
  ///
  /// Packages whose descriptions begin with the same paragraph, as those of one source package do, have one `source`, the first of them.
  /// Throws `Fault` 65: with file and line, for a line that is neither field nor continuation, a missing or repeated field, an empty synopsis
  /// and a repeated package; with a hint for a compressed file; when no example is left.
  static func examples(of bytes: [UInt8], named name: String) throws -> [GenerationExample] {
    try refuseCompressed(bytes, name)
    var stanza = DebianStanza()
    var examples: [GenerationExample] = []
    var (lineOfID, sourceOfParagraph): ([String: Int], [String: String]) = ([:], [:])
    func finish() throws {
      defer { stanza = DebianStanza() }
      guard let package = try stanza.package(in: name) else { return }
      if let first = lineOfID.updateValue(stanza.line, forKey: package.id) {
        throw Fault(.invalidData, "\(package.id) is there already, in line \(first)", at: "\(name):\(stanza.line)")
      }
      guard let paragraph = package.paragraphs.first else { return }
      let source = sourceOfParagraph[paragraph] ?? package.id
      sourceOfParagraph[paragraph] = source
      let prompt = "Description: \(package.paragraphs.joined(separator: "\n"))\nSynopsis:"
      examples.append(GenerationExample(id: package.id, source: source, prompt: prompt, references: [package.synopsis]))
    }
    let body = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    for (index, ended) in body.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let place = "\(name):\(index + 1)"
      let line = ended.last == 0x0D ? ended.dropLast() : ended
      guard let text = String(validating: line, as: UTF8.self) else { throw Fault(.invalidData, "the line is not valid UTF-8", at: place) }
      if text.allSatisfy(\.isWhitespace) { try finish() } else { try stanza.add(text, number: index + 1, at: place) }
    }
    try finish()
    guard !examples.isEmpty else { throw Fault(.invalidData, "the file holds no example", at: name) }
    return examples
  }

  private static func refuseCompressed(_ bytes: [UInt8], _ name: String) throws {
    let kinds: [([UInt8], String)] = [
      ([0x04, 0x22, 0x4D, 0x18], "lz4"), ([0xFD, 0x37, 0x7A, 0x58], "xz"), ([0x1F, 0x8B], "gzip"), ([0x42, 0x5A, 0x68], "bzip2"),
      ([0x28, 0xB5, 0x2F, 0xFD], "zstd"),
    ]
    guard let kind = kinds.first(where: { bytes.starts(with: $0.0) })?.1 else { return }
    throw Fault(
      .invalidData, "the file is compressed with \(kind)", at: name,
      hint: "unpack it: /usr/lib/apt/apt-helper cat-file FILE > Translation-en")
  }
}
