import Foundation

/// A tokenizer for tests: every word is one token per four bytes begun.
func fourBytes(_ text: String) -> [Int32] {
  text.split(whereSeparator: \.isWhitespace).flatMap { Array(repeating: Int32($0.utf8.count), count: ($0.utf8.count + 3) / 4) }
}

/// A seeded generator for made-up prose and mutations.
struct Draws {
  var state: UInt64
  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }
}

/// Paragraphs of made-up sentences.
func prose(_ seed: UInt64, sentences: Int) -> String {
  var draws = Draws(state: seed)
  let syllables = ["ka", "lo", "mi", "ren", "tas", "vo", "du", "shem", "pil", "ora"]
  return (0..<sentences).map { index in
    let words = (0..<(4 + draws.below(14))).map { _ in (0...draws.below(3)).map { _ in syllables[draws.below(10)] }.joined() }
    return words.joined(separator: " ").capitalized(first: true) + "." + (index % 5 == 4 ? "\n\n" : " ")
  }.joined()
}

extension String {
  fileprivate func capitalized(first: Bool) -> String { prefix(1).uppercased() + dropFirst() }
}

/// Writes `bytes` to a new file, runs `body`, removes it.
func withFile<T>(_ name: String, _ bytes: [UInt8], _ body: (String) throws -> T) throws -> T {
  let folder = FileManager.default.temporaryDirectory.appending(path: "datasets-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let file = folder.appending(path: name)
  try Data(bytes).write(to: file)
  return try body(file.path)
}
