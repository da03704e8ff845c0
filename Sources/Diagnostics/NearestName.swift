/// The candidate closest to `name` by edit distance (at most a third of its length, at least 2), or nil.
package func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
  let bound = max(2, name.count / 3)
  return candidates.map { (editDistance(name, $0), $0) }.filter { $0.0 <= bound }.min { $0 < $1 }?.1
}

/// `did you mean "x"?` or a list of what is known: the hint for an unknown name.
package func nameHint(_ name: String, among candidates: some Collection<String>) -> String {
  nearestName(to: name, among: candidates).map { "did you mean \"\($0)\"?" } ?? "known: \(candidates.sorted().joined(separator: ", "))"
}

/// Levenshtein distance over any equatable elements; O(a·b) time, O(b) memory.
package func editDistance<C: Collection>(_ a: C, _ b: C) -> Int where C.Element: Equatable {
  var previous = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = previous[0]
    previous[0] = i + 1
    for (j, y) in b.enumerated() {
      let substituted = diagonal + (x == y ? 0 : 1)
      diagonal = previous[j + 1]
      previous[j + 1] = min(substituted, previous[j] + 1, diagonal + 1)
    }
  }
  return previous[b.count]
}
