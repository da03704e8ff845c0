/// Words to ids: looks up the symbols of a word, and merges them.
struct BytePairModel: Sendable {
  /// What the symbols are that merging starts from.
  enum Symbols: Sendable {
    /// Bytes, in a vocabulary written in `ByteAlphabet`: the id of each, −1 if the vocabulary lacks it.
    case bytes([Int32])
    /// Characters.
    case characters
  }

  /// What happens to a symbol that the vocabulary lacks.
  struct Unknown: Sendable {
    /// The ids of `<0x00>` to `<0xFF>`, −1 for a missing one, if characters fall back to them.
    var bytes: [Int32]?
    /// Stands for the symbol if there is no fallback. Without it the symbol vanishes, as in Hugging Face's library.
    var token: Int32?
    /// One token for several unknown symbols in a row.
    var fuses: Bool
  }

  let vocabulary: VocabularyTable
  let merges: MergeTable
  let symbols: Symbols
  let unknown: Unknown
  /// A word that is in the vocabulary is taken as it is.
  let takesWholeWords: Bool
  /// Characters that no token is, but which tokens contain: they have ids beyond the vocabulary while merging.
  let loneCharacters: VocabularyTable

  private let asciiIDs: [Int32]
  /// SentencePiece's `▁`, if no merge spans the start of a run of it, so that cutting there changes nothing but the time.
  private let cut: [UInt8]?

  static let marker: [UInt8] = Array("▁".utf8)

  init(
    vocabulary: VocabularyTable, merges: MergeTable, symbols: Symbols, unknown: Unknown, takesWholeWords: Bool = false,
    loneCharacters: VocabularyTable = VocabularyTable([])
  ) {
    self.vocabulary = vocabulary
    self.merges = merges
    self.symbols = symbols
    self.unknown = unknown
    self.takesWholeWords = takesWholeWords
    self.loneCharacters = loneCharacters
    asciiIDs = (0..<0x80).map { vocabulary.id(of: [UInt8($0)]) ?? -1 }
    if case .characters = symbols, !takesWholeWords, vocabulary.id(of: Self.marker) != nil {
      cut = Self.canCutAtMarker(vocabulary, merges, loneCharacters) ? Self.marker : nil
    } else {
      cut = nil
    }
  }

  /// Appends the ids of the word `range` of `bytes`. `merger` is scratch memory.
  func encode(_ bytes: [UInt8], _ range: Range<Int>, into ids: inout [Int32], with merger: inout PairMerger) {
    if takesWholeWords, let id = wholeWord(bytes, range) {
      ids.append(id)
      return
    }
    switch symbols {
    case .bytes(let table):
      merger.symbols.removeAll(keepingCapacity: true)
      for index in range {
        let id = table[Int(bytes[index])]
        if id >= 0 { merger.symbols.append(id) } else { appendUnknown([], to: &merger.symbols) }
      }
      merger.merge(with: merges)
      ids.append(contentsOf: merger.symbols)
    case .characters:
      guard let cut else { return encodeCharacters(bytes, range, into: &ids, with: &merger) }
      var start = range.lowerBound
      while start < range.upperBound {
        let end = Self.markerStart(after: start, in: bytes, to: range.upperBound, cut)
        encodeCharacters(bytes, start..<end, into: &ids, with: &merger)
        start = end
      }
    }
  }

  private func wholeWord(_ bytes: [UInt8], _ range: Range<Int>) -> Int32? {
    guard range.count <= vocabulary.longest else { return nil }
    if case .characters = symbols { return vocabulary.id(of: bytes, range) }
    return vocabulary.id(of: range.flatMap { ByteAlphabet.character(of: bytes[$0]) })
  }

  // MARK: Characters

  private func encodeCharacters(_ bytes: [UInt8], _ range: Range<Int>, into ids: inout [Int32], with merger: inout PairMerger) {
    merger.symbols.removeAll(keepingCapacity: true)
    var index = range.lowerBound
    while index < range.upperBound {
      let next = scalar(in: bytes, at: index).next
      let id = next == index + 1 && bytes[index] < 0x80 ? asciiIDs[Int(bytes[index])] : vocabulary.id(of: bytes, index..<next) ?? -1
      if id >= 0 {
        merger.symbols.append(id)
      } else if let lone = loneCharacters.id(of: bytes, index..<next) {
        merger.symbols.append(Int32(vocabulary.count) + lone)
      } else {
        appendUnknown(bytes[index..<next], to: &merger.symbols)
      }
      index = next
    }
    merger.merge(with: merges)
    if loneCharacters.count == 0 {
      ids.append(contentsOf: merger.symbols)
      return
    }
    for id in merger.symbols {
      let lone = Int(id) - vocabulary.count
      if lone < 0 { ids.append(id) } else { appendUnknown(loneCharacters.string(of: lone), to: &ids) }
    }
  }

  private func appendUnknown(_ character: ArraySlice<UInt8>, to ids: inout [Int32]) {
    if let table = unknown.bytes, !character.isEmpty, character.allSatisfy({ table[Int($0)] >= 0 }) {
      for byte in character { ids.append(table[Int(byte)]) }
    } else if let token = unknown.token, !(unknown.fuses && ids.last == token) {
      ids.append(token)
    }
  }

  // MARK: Cutting at spaces

  /// Where the next run of `marker` starts after the run, if any, at `start`; else `end`.
  private static func markerStart(after start: Int, in bytes: [UInt8], to end: Int, _ marker: [UInt8]) -> Int {
    var (index, inText) = (start, false)
    while index < end {
      if bytes[index] == marker[0], end - index >= 3, bytes[index + 1] == marker[1], bytes[index + 2] == marker[2] {
        if inText { return index }
        index += 3
      } else {
        (index, inText) = (index + 1, true)
      }
    }
    return end
  }

  private static func canCutAtMarker(_ vocabulary: VocabularyTable, _ merges: MergeTable, _ lone: VocabularyTable) -> Bool {
    func string(_ id: Int32) -> ArraySlice<UInt8> {
      Int(id) < vocabulary.count ? vocabulary.string(of: Int(id)) : lone.string(of: Int(id) - vocabulary.count)
    }
    return merges.allRules { left, right in !string(right).starts(with: marker) || string(left).hasSuffix(marker) }
  }
}

extension ArraySlice<UInt8> {
  func hasSuffix(_ suffix: [UInt8]) -> Bool { count >= suffix.count && self[(endIndex - suffix.count)...].elementsEqual(suffix) }
}
