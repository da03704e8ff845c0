import Diagnostics
import HDF5

/// `/entities` of truth.h5.
final class EntityTable {
  private let documents, firsts, ends: RowAppender<Int64>
  private let kinds, texts, spaces: StringAppender

  init(in root: HDF5Group) throws {
    documents = try RowAppender("entities/document", in: root, columns: nil, storage: HDF5Storage(deflate: 4))
    firsts = try RowAppender("entities/first", in: root, columns: nil, storage: HDF5Storage(deflate: 4))
    ends = try RowAppender("entities/end", in: root, columns: nil, storage: HDF5Storage(deflate: 4))
    kinds = try StringAppender("entities/kind", in: root)
    texts = try StringAppender("entities/text", in: root)
    spaces = try StringAppender("entities/space", in: root)
  }

  func append(_ entities: [PrivateEntity], document: Int) throws {
    try documents.append(entities.map { _ in Int64(document) })
    try firsts.append(entities.map { Int64($0.tokens.lowerBound) })
    try ends.append(entities.map { Int64($0.tokens.upperBound) })
    try kinds.append(entities.map(\.kind.rawValue))
    try texts.append(entities.map(\.text))
    try spaces.append(entities.map { $0.space?.rawValue ?? "" })
  }

  func finish() throws {
    for appender in [documents, firsts, ends] { try appender.finish() }
  }

  /// Marks the documents' entities: every document gets a list, possibly empty, if the file has the table. Throws `.invalidData` for columns of
  /// different lengths, unknown kinds and spaces, and positions outside of the document.
  static func read(_ root: HDF5Group, into documents: inout [PrivateDocument]) throws {
    guard try root.contains("entities") else { return }
    let numbers = try ["document", "first", "end"].map { name in try root.dataset("entities/\(name)") }
    let words = try ["kind", "text", "space"].map { name in try root.dataset("entities/\(name)") }
    let shape = numbers[0].shape
    guard shape.count == 1, (numbers + words).allSatisfy({ $0.shape == shape }) else {
      throw numbers[0].invalid("the columns of /entities have different shapes")
    }
    for index in documents.indices { documents[index].entities = [] }
    let (owners, firsts, ends) = (try numbers[0].integers(), try numbers[1].integers(), try numbers[2].integers())
    let (kinds, texts, spaces) = (try words[0].strings(), try words[1].strings(), try words[2].strings())
    for row in owners.indices {
      guard let document = Int(exactly: owners[row]), documents.indices.contains(document) else {
        throw numbers[0].invalid("row \(row) is of document \(owners[row])")
      }
      guard firsts[row] >= 0, firsts[row] <= ends[row], ends[row] <= documents[document].tokens.count else {
        throw numbers[1].invalid("row \(row): tokens \(firsts[row])..<\(ends[row]) of \(documents[document].tokens.count)")
      }
      guard let kind = PrivateEntity.Kind(rawValue: kinds[row]) else { throw words[0].invalid("row \(row) is a \"\(kinds[row])\"") }
      let space = SecretSpace(rawValue: spaces[row])
      guard space != nil || spaces[row].isEmpty else { throw words[2].invalid("row \(row) is of space \"\(spaces[row])\"") }
      documents[document].entities?.append(
        PrivateEntity(kind: kind, text: texts[row], tokens: Int(firsts[row])..<Int(ends[row]), space: space))
    }
  }
}
