/// The stored strings of a vocabulary in one block of memory, and their hash table: no `String`, because Swift takes canonically
/// equivalent strings for equal, and a vocabulary may hold both `é` and `e` with a combining accent.
struct VocabularyTable: Sendable {
  private var text: [UInt8] = []
  /// Where the string of each id starts in `text`; one more than there are ids.
  private var starts: [Int] = [0]
  /// Ids at the place of their hash or after it; −1 is free. At most half are taken.
  private var slots: [Int32]
  private let mask: Int
  private(set) var longest = 0

  /// The number of ids, those without a token included.
  var count: Int { starts.count - 1 }

  /// Numbers `tokens` by their position. Empty strings and those that `isListed` refuses keep their id, but `id(of:)` does not find them.
  /// Of equal strings the last one is found, as in Hugging Face's dictionaries.
  init(_ tokens: [[UInt8]], isListed: (Int) -> Bool = { _ in true }) {
    var capacity = 16
    while capacity < tokens.count * 2 { capacity *= 2 }
    slots = [Int32](repeating: -1, count: capacity)
    mask = capacity - 1
    starts.reserveCapacity(tokens.count + 1)
    text.reserveCapacity(tokens.reduce(0) { $0 + $1.count })
    for (index, token) in tokens.enumerated() {
      text.append(contentsOf: token)
      starts.append(text.count)
      longest = max(longest, token.count)
      if !token.isEmpty, isListed(index) {
        slots[slot(of: token, 0..<token.count, 0..<0, hash: Self.hash(token, 0..<token.count))] = Int32(index)
      }
    }
  }

  /// The stored string of `id`, which must be within `0..<count`.
  func string(of id: Int) -> ArraySlice<UInt8> { text[starts[id]..<starts[id + 1]] }

  /// The id of the string that the bytes of `range` make, if any.
  func id(of bytes: [UInt8], _ range: Range<Int>) -> Int32? { id(of: bytes, range, 0..<0) }

  func id(of string: [UInt8]) -> Int32? { id(of: string, 0..<string.count, 0..<0) }

  /// The id of the string that the bytes of `head`, then those of `tail`, make, if any.
  func id(of bytes: [UInt8], _ head: Range<Int>, _ tail: Range<Int>) -> Int32? {
    guard !(head.isEmpty && tail.isEmpty), head.count + tail.count <= longest else { return nil }
    let hash = Self.hash(bytes, tail, Self.hash(bytes, head))
    let id = slots[slot(of: bytes, head, tail, hash: hash)]
    return id < 0 ? nil : id
  }

  private func slot(of bytes: [UInt8], _ head: Range<Int>, _ tail: Range<Int>, hash: UInt64) -> Int {
    var place = Int(truncatingIfNeeded: hash ^ hash >> 32) & mask
    while slots[place] >= 0, !isEqual(Int(slots[place]), bytes, head, tail) { place = (place + 1) & mask }
    return place
  }

  private func isEqual(_ id: Int, _ bytes: [UInt8], _ head: Range<Int>, _ tail: Range<Int>) -> Bool {
    var place = starts[id]
    guard starts[id + 1] - place == head.count + tail.count else { return false }
    for index in head {
      guard text[place] == bytes[index] else { return false }
      place += 1
    }
    for index in tail {
      guard text[place] == bytes[index] else { return false }
      place += 1
    }
    return true
  }

  /// FNV-1a, going on from `seed`.
  private static func hash(_ bytes: [UInt8], _ range: Range<Int>, _ seed: UInt64 = 0xCBF2_9CE4_8422_2325) -> UInt64 {
    var hash = seed
    for index in range { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
    return hash
  }
}
