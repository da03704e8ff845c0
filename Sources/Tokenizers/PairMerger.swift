/// Applies the merges to one word: of all neighbours with a merge, the one of lowest rank, and of those the leftmost, until none is left.
///
/// Sennrich et al. 2016, arXiv:1508.07909. Holds scratch memory, so one value serves many words.
struct PairMerger {
  /// The symbols of the word; set them, then call `merge`.
  var symbols: [Int32] = []
  private var rules: [UInt64] = []
  private var heap = CandidateHeap()

  /// Up to this many symbols, looking at all of them again after each merge is faster than a heap.
  private static let shortWord = 32

  /// Merges `symbols` in place: O(n log n) time, O(n) memory.
  mutating func merge(with table: borrowing MergeTable) {
    if symbols.count < 2 { return }
    if symbols.count <= Self.shortWord { mergeShort(table) } else { mergeLong(table) }
  }

  private mutating func mergeShort(_ table: borrowing MergeTable) {
    var count = symbols.count
    rules.removeAll(keepingCapacity: true)
    for index in 1..<count { rules.append(table.packedRule(symbols[index - 1], symbols[index])) }
    while count > 1 {
      var (best, place) = (UInt32.max, -1)
      for index in 0..<count - 1 {
        let rank = UInt32(truncatingIfNeeded: rules[index] >> 32)
        if rank < best { (best, place) = (rank, index) }
      }
      guard place >= 0 else { break }
      symbols[place] = Int32(truncatingIfNeeded: rules[place])
      count -= 1
      var index = place + 1
      while index < count {
        symbols[index] = symbols[index + 1]
        rules[index - 1] = rules[index]
        index += 1
      }
      if place > 0 { rules[place - 1] = table.packedRule(symbols[place - 1], symbols[place]) }
      if place + 1 < count { rules[place] = table.packedRule(symbols[place], symbols[place + 1]) }
    }
    symbols.removeSubrange(count...)
  }

  private mutating func mergeLong(_ table: borrowing MergeTable) {
    let count = symbols.count
    // Neighbours of each symbol; a symbol that was merged away is −1 and nobody's neighbour.
    var (next, previous) = ((1...count).map { $0 }, (-1..<count - 1).map { $0 })
    heap.removeAll()
    for index in 0..<count - 1 { heap.append(table.packedRule(symbols[index], symbols[index + 1]), at: index) }
    heap.heapify()
    while let top = heap.pop() {
      let place = top.place
      guard symbols[place] >= 0, next[place] < count else { continue }
      let right = next[place]
      // A candidate is stale if one of its two symbols has changed since.
      guard table.packedRule(symbols[place], symbols[right]) == top.rule else { continue }
      symbols[place] = Int32(truncatingIfNeeded: top.rule)
      symbols[right] = -1
      next[place] = next[right]
      if next[place] < count {
        previous[next[place]] = place
        heap.push(table.packedRule(symbols[place], symbols[next[place]]), at: place)
      }
      if previous[place] >= 0 { heap.push(table.packedRule(symbols[previous[place]], symbols[place]), at: previous[place]) }
    }
    symbols.removeAll { $0 < 0 }
  }
}

/// A binary heap of merges that could be applied: lowest rank first, then leftmost.
struct CandidateHeap {
  struct Candidate {
    let rule: UInt64
    let place: Int

    @inline(__always)
    static func < (a: Candidate, b: Candidate) -> Bool {
      let (x, y) = (a.rule >> 32, b.rule >> 32)
      return x < y || (x == y && a.place < b.place)
    }
  }

  private var items: [Candidate] = []

  mutating func removeAll() { items.removeAll(keepingCapacity: true) }

  /// Adds without keeping the order; `heapify` must follow.
  mutating func append(_ rule: UInt64, at place: Int) {
    if rule != MergeTable.none { items.append(Candidate(rule: rule, place: place)) }
  }

  mutating func heapify() {
    for index in stride(from: items.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  mutating func push(_ rule: UInt64, at place: Int) {
    guard rule != MergeTable.none else { return }
    items.append(Candidate(rule: rule, place: place))
    var index = items.count - 1
    while index > 0, items[index] < items[(index - 1) / 2] {
      items.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func pop() -> Candidate? {
    guard let top = items.first, let last = items.popLast() else { return nil }
    if !items.isEmpty {
      items[0] = last
      sink(0)
    }
    return top
  }

  private mutating func sink(_ start: Int) {
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < items.count else { return }
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      guard items[child] < items[index] else { return }
      items.swapAt(index, child)
      index = child
    }
  }
}
