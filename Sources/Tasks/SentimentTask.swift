import Diagnostics

/// Sentiment of one-sentence film reviews, from vaderSentiment's `movieReviewSnippets_GroundTruth.txt` (Hutto & Gilbert 2014).
package enum SentimentTask {
  /// Mean ratings run from -4 (most negative) to 4; those nearer to 0 than this are left out as undecided.
  package static let leastRating = 1.0
  private static let ratings = -4.0...4.0

  /// The decided examples of a file of lines `id TAB mean rating TAB text`, in its order; label 0 is negative, 1 positive.
  ///
  /// Blank lines, CRLF and a missing last line end are fine. Throws `Fault` 66 when the file is absent or no file; 65, with file and line,
  /// for a line without three fields, a rating that is no number in -4...4, an empty text and a repeated id; 65 when no example is left.
  package static func examples(at path: String) throws -> [TaskExample] { try examples(of: TaskLines.bytes(at: path), named: path) }

  /// As `examples(at:)`, of a file's bytes; errors call it `name`.
  package static func examples(of bytes: [UInt8], named name: String) throws -> [TaskExample] {
    try TaskLines.examples(of: bytes, named: name, parse: examples(inLine:at:))
  }

  /// The example of one line, or none if its rating is undecided. Throws `Fault` 65 located at `place`.
  package static func examples(inLine line: String, at place: String) throws -> [TaskExample] {
    var fields = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false).makeIterator()
    guard let id = fields.next(), let number = fields.next(), let text = fields.next() else {
      throw Fault(.invalidData, "the line does not have three fields", at: place, hint: "id TAB mean rating TAB text")
    }
    guard let rating = Double(number), ratings.contains(rating) else {
      throw Fault(.invalidData, "the rating \"\(number)\" is no number from -4 to 4", at: place)
    }
    let review = Verbaliser.trimmed(text)
    guard !review.isEmpty else { throw Fault(.invalidData, "the text is empty", at: place) }
    guard abs(rating) >= leastRating else { return [] }
    let prompt = "Review: \(review)\nSentiment:"
    return [TaskExample(id: String(id), prompt: prompt, choices: [" negative", " positive"], label: rating > 0 ? 1 : 0)]
  }
}
