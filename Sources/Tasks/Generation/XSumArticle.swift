import Diagnostics

/// One `<bbcid>.summary` file: sections, each under a line such as `[SN]TITLE[SN]`.
struct XSumArticle {
  /// The rest of the article, one paragraph a line; may be empty.
  var body: String
  /// The first sentence, as a reference.
  var summary: String

  private static let mark = "[SN]"
  private static let names = ["URL", "TITLE", "FIRST-SENTENCE", "RESTBODY"]
  /// Lines of the web page that the usual loaders drop as well.
  private static let furniture: Set<String> = [
    "Share this with", "Email", "Facebook", "Messenger", "Twitter", "Pinterest", "WhatsApp", "Linkedin", "LinkedIn", "Copy this link",
    "These are external links and will open in a new window",
  ]

  /// Throws `Fault` 65 at `file`, with the line where there is one: invalid UTF-8, text before the first section, an unknown, repeated or
  /// missing section, an empty first sentence.
  init(_ bytes: [UInt8], at file: String) throws {
    var sections: [String: [String]] = [:]
    var current: String?
    for (index, ended) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let place = "\(file):\(index + 1)"
      guard let text = String(validating: ended, as: UTF8.self) else { throw Fault(.invalidData, "the line is not valid UTF-8", at: place) }
      let line = PlainText.oneLine(text)
      if line.count > 8, line.hasPrefix(XSumArticle.mark), line.hasSuffix(XSumArticle.mark) {
        let name = String(line.dropFirst(4).dropLast(4))
        guard XSumArticle.names.contains(name) else {
          throw Fault(.invalidData, "the section \"\(name)\" is unknown", at: place, hint: nameHint(name, among: XSumArticle.names))
        }
        guard sections.updateValue([], forKey: name) == nil else {
          throw Fault(.invalidData, "the section \(name) is there already", at: place)
        }
        current = name
      } else if !line.isEmpty, !XSumArticle.furniture.contains(line) {
        guard let current else { throw Fault(.invalidData, "there is text before the first section", at: place) }
        sections[current, default: []].append(line)
      }
    }
    guard let first = sections["FIRST-SENTENCE"], let rest = sections["RESTBODY"] else {
      let missing = sections["FIRST-SENTENCE"] == nil ? "FIRST-SENTENCE" : "RESTBODY"
      throw Fault(.invalidData, "there is no section [SN]\(missing)[SN]", at: file)
    }
    guard let summary = PlainText.reference(first.joined(separator: " ")) else {
      throw Fault(.invalidData, "the first sentence is empty", at: file)
    }
    (body, self.summary) = (rest.joined(separator: "\n"), summary)
  }
}
