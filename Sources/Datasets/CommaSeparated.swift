import Diagnostics

/// A CSV file with a heading, as RFC 4180 has it: fields in quotes may hold commas, line ends and doubled quotes. Line ends LF or CRLF.
struct CommaSeparated {
  struct Record {
    /// 1-based line on which the record begins.
    var line: Int
    var fields: [[UInt8]]
  }

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var heading: [String]?

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Index of the column called `name`; nil takes `text`, or the only column. Reads the heading first.
  /// Throws `Fault` 65 with the nearest name for an unknown column, for a name that the heading has twice, and for an empty file.
  mutating func column(_ name: String?, place: String) throws -> Int {
    if heading == nil {
      guard let record = try record(place: place) else { throw Fault(.invalidData, "the file is empty, expected a heading", at: place) }
      heading = try record.fields.indices.map { try text(record, $0, place: place) }
    }
    let columns = heading ?? []
    if name == nil, columns.count == 1 { return 0 }
    let wanted = name ?? "text"
    let found = columns.indices.filter { columns[$0] == wanted }
    guard let index = found.first else {
      let separated = columns.count == 1 && (columns[0].contains(";") || columns[0].contains("\t"))
      throw Fault(
        .invalidData, "there is no column \"\(wanted)\"", at: "\(place):1",
        hint: separated ? "the columns must be separated by commas" : nameHint(wanted, among: columns))
    }
    guard found.count == 1 else { throw Fault(.invalidData, "the heading has \"\(wanted)\" twice", at: "\(place):1") }
    return index
  }

  /// The next record after the heading; nil at the end. Throws `Fault` 65 with the line.
  mutating func next(place: String) throws -> Record? {
    precondition(heading != nil, "column(_:place:) reads the heading first")
    guard let record = try record(place: place) else { return nil }
    let expected = heading?.count ?? 0
    guard record.fields.count == expected else {
      throw Fault(
        .invalidData, "the record has \(record.fields.count) fields, the heading \(expected)", at: "\(place):\(record.line)",
        hint: "put fields with commas or line ends in quotes")
    }
    return record
  }

  /// A field as text. Throws `Fault` 65 for invalid UTF-8.
  func text(_ record: Record, _ index: Int, place: String) throws -> String {
    guard let text = String(validating: record.fields[index], as: UTF8.self) else {
      throw Fault(.invalidData, "field \(index + 1) is not valid UTF-8", at: "\(place):\(record.line)")
    }
    return text
  }

  /// One record, empty lines skipped.
  private mutating func record(place: String) throws -> Record? {
    while position < bytes.count {
      let start = line
      var fields: [[UInt8]] = []
      var more = true
      while more { more = try field(into: &fields, place: place) }
      if fields.count > 1 || fields[0].count > 0 { return Record(line: start, fields: fields) }
    }
    return nil
  }

  /// Reads one field and what ends it; true when a comma follows.
  private mutating func field(into fields: inout [[UInt8]], place: String) throws -> Bool {
    let quote = UInt8(ascii: "\"")
    var out: [UInt8] = []
    if position < bytes.count, bytes[position] == quote {
      let opened = line
      position += 1
      while true {
        guard position < bytes.count else {
          throw Fault(.invalidData, "a quote is opened and never closed", at: "\(place):\(opened)", hint: "double a quote inside a field")
        }
        let byte = bytes[position]
        position += 1
        if byte == quote {
          guard position < bytes.count, bytes[position] == quote else { break }
          position += 1
        }
        if byte == 0x0A { line += 1 }
        out.append(byte)
      }
    } else {
      while position < bytes.count, bytes[position] != UInt8(ascii: ","), bytes[position] != 0x0A {
        guard bytes[position] != quote else {
          throw Fault(
            .invalidData, "a quote inside a field without quotes", at: "\(place):\(line)", hint: "quote the field, double the quote")
        }
        out.append(bytes[position])
        position += 1
      }
      if out.last == 0x0D, position >= bytes.count || bytes[position] == 0x0A { out.removeLast() }
    }
    fields.append(out)
    guard position < bytes.count else { return false }
    if bytes[position] == 0x0D, position + 1 < bytes.count, bytes[position + 1] == 0x0A { position += 1 }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: ","): return true
    case 0x0A:
      line += 1
      return false
    default:
      throw Fault(.invalidData, "text after a closing quote", at: "\(place):\(line)", hint: "double a quote inside a field")
    }
  }
}
