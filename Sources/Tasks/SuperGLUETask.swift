import Diagnostics

/// The eight tasks of SuperGLUE (Wang et al. 2019) as multiple choice over the completions of a cloze prompt.
package enum SuperGLUETask: String, Sendable, Hashable, CaseIterable {
  case boolq, cb, copa, rte, wic, wsc, multirc, record

  /// The task of that name. Throws `Fault` 65 with the nearest name.
  package static func named(_ name: String) throws -> SuperGLUETask {
    guard let task = SuperGLUETask(rawValue: name) else {
      throw Fault(.invalidData, "there is no task \"\(name)\"", hint: nameHint(name, among: allCases.map(\.rawValue)))
    }
    return task
  }

  /// What the benchmark reports of the task.
  package var metrics: [TaskMetric] {
    switch self {
    case .cb: [.accuracy, .macroF1]
    case .multirc: [.answerF1, .questionF1, .exactMatch]
    case .boolq, .copa, .rte, .wic, .wsc, .record: [.accuracy]
    }
  }

  /// The examples of an official `train.jsonl` or `val.jsonl`, in its order. Blank lines, CRLF and a missing last line end are fine.
  ///
  /// Throws `Fault` 66 when the file is absent or no file; 65, with file and line, for broken JSON, a missing or mistyped key, an unknown
  /// label (the official `test.jsonl` has none) and a repeated `idx`; 65 for a file without an example.
  package func examples(at path: String) throws -> [TaskExample] { try examples(of: TaskLines.bytes(at: path), named: path) }

  /// As `examples(at:)`, of a file's bytes; errors call it `name`.
  package func examples(of bytes: [UInt8], named name: String) throws -> [TaskExample] {
    try TaskLines.examples(of: bytes, named: name, parse: examples(inLine:at:))
  }

  /// The examples of one line of the official JSONL: one per answer option in MultiRC, one per query in ReCoRD, else one alone.
  /// Throws `Fault` 65 located at `place`.
  package func examples(inLine line: String, at place: String) throws -> [TaskExample] {
    switch self {
    case .boolq: try JSONRecord.decode(BoolQ.self, line, place).examples(at: place)
    case .cb: try JSONRecord.decode(CommitmentBank.self, line, place).examples(at: place)
    case .copa: try JSONRecord.decode(COPA.self, line, place).examples(at: place)
    case .rte: try JSONRecord.decode(RTE.self, line, place).examples(at: place)
    case .wic: try JSONRecord.decode(WordInContext.self, line, place).examples(at: place)
    case .wsc: try JSONRecord.decode(WinogradSchema.self, line, place).examples(at: place)
    case .multirc: try JSONRecord.decode(MultiRC.self, line, place).examples(at: place)
    case .record: try JSONRecord.decode(ReCoRD.self, line, place).examples(at: place)
    }
  }
}
