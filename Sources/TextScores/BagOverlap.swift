/// Σ over items of the smaller of the two counts: how many items two bags share, repeats included.
package func bagOverlap<Item: Hashable>(_ a: some Sequence<Item>, _ b: some Sequence<Item>) -> Int {
  var left = a.reduce(into: [Item: Int]()) { $0[$1, default: 0] += 1 }
  return b.reduce(0) { shared, item in
    guard let count = left[item], count > 0 else { return shared }
    left[item] = count - 1
    return shared + 1
  }
}
