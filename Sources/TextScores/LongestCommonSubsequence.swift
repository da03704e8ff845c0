/// Length of the longest common subsequence; O(a·b / 64) time, O(a + b) memory (Hyyrö 2004: bit-parallel LCS).
package func longestCommonSubsequence(_ a: [Int], _ b: [Int]) -> Int {
  let rest = trimmingCommonEnds(a, b)
  if rest.a.isEmpty || rest.b.isEmpty { return rest.common }
  var masks = MatchMasks(rest.a)
  // A zero at bit i of V: the LCS of a[...i] and the part of b read so far is one longer than that of a[..<i].
  var v = [UInt64](repeating: .max, count: masks.words)
  for symbol in rest.b {
    masks.withMask(of: symbol) { mask in
      var carry: UInt64 = 0
      for w in 0..<v.count {
        let matched = v[w] & mask[w]
        let (partial, first) = v[w].addingReportingOverflow(matched)
        let (sum, second) = partial.addingReportingOverflow(carry)
        carry = first || second ? 1 : 0
        v[w] = sum | (v[w] & ~mask[w])
      }
    }
  }
  return rest.common + v.reduce(0) { $0 + (~$1).nonzeroBitCount }
}
