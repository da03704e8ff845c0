import Diagnostics

/// The tasks whose answer is free text: summaries, answers in a conversation, the next turn of one.
///
/// Answers are of one line, so generation may stop at a line end.
package enum GenerationTask: String, Sendable, Hashable, CaseIterable {
  case aclsum, debian, xsum, coqa, chitchat

  /// The task of that name. Throws `Fault` 65 with the nearest name.
  package static func named(_ name: String) throws -> GenerationTask {
    guard let task = GenerationTask(rawValue: name) else {
      throw Fault(.invalidData, "there is no task \"\(name)\"", hint: nameHint(name, among: allCases.map(\.rawValue)))
    }
    return task
  }

  /// What is usually reported of the task: ROUGE of summaries and of turns, F1 and exact match of CoQA's answers.
  package var metrics: [GenerationMetric] {
    switch self {
    case .aclsum, .debian, .xsum: [.rouge1, .rouge2, .rougeL]
    case .coqa: [.tokenF1, .exactMatch]
    case .chitchat: [.rouge1, .rougeL, .tokenF1]
    }
  }

  /// The examples of a file, in its order. `path` is
  /// - aclsum: one of the package's `train.jsonl`, `val.jsonl` and `test.jsonl`, or the folder that holds them;
  /// - debian: a `Translation-en` file of apt's lists, unpacked;
  /// - xsum: the folder of `XSum-TRAINING-DEV-TEST-SPLIT-90-5-5.json`, with the `.summary` files in it or in its `bbc-summary-data`;
  /// - coqa: an official JSON file, such as `coqa-train-v1.0.json`;
  /// - chitchat: the package's `dataset.json`.
  ///
  /// A folder gives its parts one after another. Throws `Fault` 66 when a file is absent or no file; 65, with file and line or id, for broken
  /// contents, as the readers say; 65 when no example is left.
  package func examples(at path: String) throws -> [GenerationExample] {
    switch self {
    case .aclsum where TaskFolder.isFolder(path):
      let parts = try GenerationPart.allCases.map { try examples($0, at: path) }
      try GenerationPart.refuseSharedSources(parts, at: path)
      return parts.flatMap { $0 }
    case .xsum: return try XSum(folder: path).examples(GenerationPart.allCases)
    case .aclsum, .debian, .coqa, .chitchat: return try examples(of: TaskLines.bytes(at: path), named: path)
    }
  }

  /// True if the format at `path` carries parts for training and validation: XSum, and ACLSum as a folder.
  package func hasParts(at path: String) -> Bool {
    switch self {
    case .aclsum: TaskFolder.isFolder(path)
    case .xsum: true
    case .debian, .coqa, .chitchat: false
    }
  }

  /// The examples of one part, in its order, where the format carries parts. Throws as `examples(at:)`, and `Fault` 65 without parts.
  package func examples(_ part: GenerationPart, at path: String) throws -> [GenerationExample] {
    switch self {
    case .aclsum where TaskFolder.isFolder(path):
      let file = TaskFolder.file(part == .validation ? "val.jsonl" : "\(part.rawValue).jsonl", of: path)
      return try examples(of: TaskLines.bytes(at: file), named: file)
    case .xsum: return try XSum(folder: path).examples([part])
    case .aclsum, .debian, .coqa, .chitchat:
      throw Fault(.invalidData, "the data of \(rawValue) carries no parts", at: path, hint: "draw them, or bring a file for each")
    }
  }

  /// As `examples(at:)`, of one file's bytes; errors call it `name`. Throws `Fault` 65 for XSum, which is many files.
  package func examples(of bytes: [UInt8], named name: String) throws -> [GenerationExample] {
    switch self {
    case .aclsum:
      try TaskLines.examples(of: bytes, named: name) { try JSONRecord.decode(ACLSum.self, $0, $1).examples(at: $1) }
    case .debian: try DebianTranslation.examples(of: bytes, named: name)
    case .coqa: try CoQA.examples(of: bytes, named: name)
    case .chitchat: try ChitchatConversation.examples(of: bytes, named: name)
    case .xsum: throw Fault(.invalidData, "XSum is a folder of files", at: name)
    }
  }
}
