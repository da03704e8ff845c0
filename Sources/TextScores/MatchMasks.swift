/// Where each symbol of a pattern occurs, as bits: the table of the bit-parallel sequence comparisons, 64 cells a machine word.
///
/// Symbols that occur often are kept as bit vectors, the others as lists of positions: at most 64 symbols are frequent, so memory is O(pattern).
struct MatchMasks<Symbol: Hashable> {
  let words: Int
  private var dense: [Symbol: [UInt64]] = [:]
  private var sparse: [Symbol: [Int]] = [:]
  private var scratch: [UInt64]

  init(_ pattern: ArraySlice<Symbol>) {
    words = (pattern.count + 63) / 64
    scratch = Array(repeating: 0, count: words)
    for (i, symbol) in pattern.enumerated() { sparse[symbol, default: []].append(i) }
    for (symbol, places) in sparse where places.count > words {
      var mask = scratch
      for place in places { mask[place / 64] |= 1 << UInt64(place % 64) }
      dense[symbol] = mask
    }
    for symbol in dense.keys { sparse[symbol] = nil }
  }

  /// Calls `body` with the bit vector of the places where `symbol` occurs.
  mutating func withMask(of symbol: Symbol, _ body: (Span<UInt64>) -> Void) {
    if let mask = dense[symbol] { return body(mask.span) }
    let places = sparse[symbol] ?? []
    for place in places { scratch[place / 64] |= 1 << UInt64(place % 64) }
    body(scratch.span)
    for place in places { scratch[place / 64] = 0 }
  }
}

/// Both sequences without their common beginning and end, and the length of what was cut.
func trimmingCommonEnds<Symbol: Equatable>(_ a: [Symbol], _ b: [Symbol]) -> (a: ArraySlice<Symbol>, b: ArraySlice<Symbol>, common: Int) {
  let shorter = min(a.count, b.count)
  var prefix = 0
  while prefix < shorter, a[prefix] == b[prefix] { prefix += 1 }
  var suffix = 0
  while suffix < shorter - prefix, a[a.count - 1 - suffix] == b[b.count - 1 - suffix] { suffix += 1 }
  return (a[prefix..<(a.count - suffix)], b[prefix..<(b.count - suffix)], prefix + suffix)
}
