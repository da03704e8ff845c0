import Diagnostics
import HDF5

/// truth.h5: what the adversary of view.h5 is after, in a file of its own, which the attack process never opens.
///
/// Root attributes `encoding-type="fedsea-truth"`, `encoding-version`, `run_id`; `/samples/offsets` int64 [documents + 1], `/samples/token_ids`
/// int32 [N], `/samples/text` and `/samples/id` variable-length UTF-8 [documents]. Where the data set marks entities: `/entities/document`,
/// `/entities/first`, `/entities/end` int64 [E] (token positions in the document) and `/entities/kind`, `/entities/text`, `/entities/space` UTF-8 [E]
/// (`space` is empty unless the entity is a canary). Where they are known, `/samples/member` int64 (1: the victim was fine-tuned on it) and
/// `/samples/attribute` UTF-8 [documents]. Only the owner may read the file.
package struct TruthFile: Sendable, Equatable {
  /// The run whose view this is the truth of.
  package var runID: String
  package var documents: [PrivateDocument]

  package init(runID: String, documents: [PrivateDocument]) {
    (self.runID, self.documents) = (runID, documents)
  }

  static let encoding = "fedsea-truth"

  /// Writes truth.h5, whole or not at all. Throws `.invalidData` for a text or id with U+0000, `.cannotCreate`, `.inputOutput`.
  package func write(to path: String) throws {
    let writer = try TruthWriter(path, runID: runID)
    try writer.append(documents)
    try writer.close()
  }

  /// Reads an untrusted truth.h5. Throws `.missingInput`, or `.invalidData` for whatever is not as `TruthFile` says.
  package static func read(_ path: String) throws -> TruthFile {
    let file = try HDF5File.open(path)
    try file.root.requireEncoding(encoding)
    let runID = try file.root.text("run_id")
    let offsets = try file.root.readOffsets()
    let tokens = try file.root.readTokens("samples/token_ids", count: offsets[offsets.count - 1])
    let texts = try column("samples/text", in: file.root, count: offsets.count - 1)
    let ids = try column("samples/id", in: file.root, count: offsets.count - 1)
    var documents = (0..<offsets.count - 1).map { document in
      PrivateDocument(id: ids[document], text: texts[document], tokens: Array(tokens[offsets[document]..<offsets[document + 1]]))
    }
    try EntityTable.read(file.root, into: &documents)
    try PropertyColumns.read(file.root, into: &documents)
    try file.close()
    return TruthFile(runID: runID, documents: documents)
  }

  private static func column(_ name: String, in root: HDF5Group, count: Int) throws -> [String] {
    let dataset = try root.dataset(name)
    guard dataset.shape == [count] else { throw dataset.invalid("shape \(dataset.shape), but there are \(count) documents") }
    return try dataset.strings()
  }
}

/// Writes truth.h5 while a run goes on, in bounded memory. The file appears when `close()` returns.
package final class TruthWriter {
  private let file: HDF5File
  private let offsets: OffsetsAppender
  private let tokens: RowAppender<Int32>
  private let texts: StringAppender
  private let ids: StringAppender
  private var entities: EntityTable?
  private let properties: PropertyColumns
  private var documents = 0

  /// Throws `.cannotCreate` if no file can be made beside `path`.
  package init(_ path: String, runID: String) throws {
    file = try HDF5File.create(path, isPrivate: true)
    try file.root.setEncoding(TruthFile.encoding)
    try file.root.setAttribute("run_id", runID)
    offsets = try OffsetsAppender(in: file.root)
    tokens = try RowAppender("samples/token_ids", in: file.root, columns: nil, storage: HDF5Storage(deflate: 4))
    texts = try StringAppender("samples/text", in: file.root)
    ids = try StringAppender("samples/id", in: file.root)
    properties = PropertyColumns(in: file.root)
  }

  /// Appends documents in order. Throws `.invalidData` for a text or id with U+0000 or a negative token id, `.inputOutput` when the disk is full.
  package func append(_ documents: [PrivateDocument]) throws {
    for document in documents {
      guard document.tokens.allSatisfy({ $0 >= 0 }) else { throw Fault(.invalidData, "document \(document.id) has a negative token id") }
    }
    for document in documents {
      try texts.append([document.text])
      try ids.append([document.id])
      try offsets.append(document.tokens.count)
      try tokens.append(document.tokens)
      if let marked = document.entities {
        let table = try entities ?? EntityTable(in: file.root)
        entities = table
        try table.append(marked, document: self.documents)
      }
      try properties.append(document)
      self.documents += 1
    }
  }

  package func close() throws {
    try offsets.finish()
    try tokens.finish()
    try entities?.finish()
    try properties.finish()
    try file.close()
  }
}
