/// One merge: the neighbours `left` and `right` become `result`. The lowest rank goes first.
struct MergeRule: Sendable, Equatable {
  var left: Int32
  var right: Int32
  var result: Int32
  var rank: UInt32
}

/// The merges of a byte-pair encoding, by their pair of ids.
struct MergeTable: Sendable {
  /// Pairs of words: the ids packed into a key, then rank and result.
  private var slots: [UInt64]
  private let mask: Int
  private let shift: UInt64
  private(set) var count = 0

  /// No rule, in `packedRule`; also a free key, for ids are not negative.
  static let none = UInt64.max

  /// Takes at most `capacity` rules.
  init(capacity: Int) {
    var bits = 4
    while 1 << bits < capacity * 2 { bits += 1 }
    slots = [UInt64](repeating: Self.none, count: 2 << bits)
    mask = 1 << bits - 1
    shift = UInt64(64 - bits)
  }

  /// Adds a rule, or replaces the one of the same pair, as Hugging Face does with merges that are listed twice.
  mutating func insert(_ rule: MergeRule) {
    precondition(rule.left >= 0 && rule.right >= 0 && rule.result >= 0)
    let key = Self.key(rule.left, rule.right)
    var place = home(key)
    while slots[2 * place] != Self.none, slots[2 * place] != key { place = (place + 1) & mask }
    if slots[2 * place] == Self.none {
      count += 1
      precondition(count <= mask, "more merges than announced")
    }
    slots[2 * place] = key
    slots[2 * place + 1] = UInt64(rule.rank) << 32 | UInt64(UInt32(bitPattern: rule.result))
  }

  /// `rank << 32 | result` of the merge of two ids, or `none`.
  @inline(__always)
  func packedRule(_ left: Int32, _ right: Int32) -> UInt64 {
    let key = Self.key(left, right)
    var place = home(key)
    while true {
      let found = slots[2 * place]
      if found == key || found == Self.none { return slots[2 * place + 1] }
      place = (place + 1) & mask
    }
  }

  /// All rules, by rank, then by ids.
  var rules: [MergeRule] {
    stride(from: 0, to: slots.count, by: 2).filter { slots[$0] != Self.none }.map { index in
      let (key, value) = (slots[index], slots[index + 1])
      return MergeRule(
        left: Int32(truncatingIfNeeded: key >> 32), right: Int32(truncatingIfNeeded: key),
        result: Int32(truncatingIfNeeded: value), rank: UInt32(value >> 32))
    }.sorted { ($0.rank, $0.left, $0.right) < ($1.rank, $1.left, $1.right) }
  }

  /// Whether `isTrue` of the pair of every rule.
  func allRules(_ isTrue: (_ left: Int32, _ right: Int32) -> Bool) -> Bool {
    for index in stride(from: 0, to: slots.count, by: 2) where slots[index] != Self.none {
      if !isTrue(Int32(truncatingIfNeeded: slots[index] >> 32), Int32(truncatingIfNeeded: slots[index])) { return false }
    }
    return true
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func home(_ key: UInt64) -> Int {
    Int(truncatingIfNeeded: ((key ^ key >> 29) &* 0x9E37_79B9_7F4A_7C15) >> shift)
  }
}
