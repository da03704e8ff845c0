/// Levenshtein distance; O(a·b / 64) time, O(a + b) memory (Myers 1999 in the blocked form of Hyyrö 2003).
package func levenshteinDistance<Symbol: Hashable>(_ a: [Symbol], _ b: [Symbol]) -> Int {
  // Numbered symbols keep the loops below concrete, hence fast, for callers in other modules.
  var numbers: [Symbol: Int] = [:]
  func number(_ symbol: Symbol) -> Int {
    if let known = numbers[symbol] { return known }
    numbers[symbol] = numbers.count
    return numbers.count - 1
  }
  return distance(a.map(number), b.map(number))
}

private func distance(_ a: [Int], _ b: [Int]) -> Int {
  let rest = trimmingCommonEnds(a, b)
  if rest.a.isEmpty || rest.b.isEmpty { return max(rest.a.count, rest.b.count) }
  var masks = MatchMasks(rest.a)
  // Vertical differences of the current column of the distance table: +1 where `plus` is set, -1 where `minus` is.
  var plus = [UInt64](repeating: .max, count: masks.words)
  var minus = [UInt64](repeating: 0, count: masks.words)
  let lastBit = UInt64(1) << UInt64((rest.a.count - 1) % 64)
  var distance = rest.a.count
  let last = masks.words - 1
  for symbol in rest.b {
    masks.withMask(of: symbol) { mask in
      // The horizontal difference that enters a block from the one above; the top row of the table grows by one each column.
      var (enterPlus, enterMinus): (UInt64, UInt64) = (1, 0)
      var plusSpan = plus.mutableSpan
      var minusSpan = minus.mutableSpan
      for w in 0...last {
        let (vp, vn) = (plusSpan[w], minusSpan[w])
        let matched = mask[w] | enterMinus
        let diagonal = (((matched & vp) &+ vp) ^ vp) | matched | vn
        var hp = vn | ~(diagonal | vp)
        var hn = diagonal & vp
        if w == last { distance += (hp & lastBit != 0 ? 1 : 0) - (hn & lastBit != 0 ? 1 : 0) }
        let (leavePlus, leaveMinus) = (hp >> 63, hn >> 63)
        hp = hp << 1 | enterPlus
        hn = hn << 1 | enterMinus
        plusSpan[w] = hn | ~((mask[w] | vn) | hp)
        minusSpan[w] = hp & (mask[w] | vn)
        (enterPlus, enterMinus) = (leavePlus, leaveMinus)
      }
    }
  }
  return distance
}
