import Foundation
import Kernels

/// The tokens that one training step normalises over, in place of the whole vocabulary: the batch's own, the nearest neighbours of each in
/// the codebook, where confusions happen, the most frequent ones, and a uniform sample that stands for the rest (sampled softmax, Jean et al.
/// 2015). Small vocabularies are used whole.
final class InverterCandidates {
  private static let wholeUpTo = 4096
  private static let neighbours = 8
  private static let frequent = 256
  private static let sampled = 1024

  private let codebook: Matrix
  private let halfNorms: [Float]
  private let ranked: [Int]
  private let seed: UInt64
  private let compute: Compute
  private var known: [Int: [Int]] = [:]

  /// - Parameter prior: ln p of each token, for the frequent ones.
  init(_ codebook: Matrix, prior: [Float], seed: UInt64, _ compute: Compute) {
    (self.codebook, self.seed, self.compute) = (codebook, seed, compute)
    halfNorms = (0..<codebook.rows).map { codebook[row: $0].reduce(0) { $0 + $1 * $1 } / 2 }
    ranked = largest(min(Self.frequent, prior.count), of: prior).map(Int.init)
  }

  /// The tokens, ascending, and what is added to each one's score: −ln of the chance that it was drawn.
  func tokens(for labels: [Int32], step: Int) -> (ids: [Int], corrections: [Float]) {
    let size = codebook.rows
    guard size > Self.wholeUpTo else { return (Array(0..<size), [Float](repeating: 0, count: size)) }
    learn(Set(labels.map(Int.init)).filter { known[$0] == nil }.sorted())
    var certain = Set(ranked)
    for label in labels { certain.formUnion(known[Int(label)]!) }
    // A sample of what is left would be most of it.
    guard certain.count + 2 * Self.sampled < size else { return (Array(0..<size), [Float](repeating: 0, count: size)) }
    var draws = CounterRandom(seed: seed, stream: "inverter/negatives").generator(item: UInt64(step))
    var others = Set<Int>()
    while others.count < Self.sampled {
      let token = Int.random(in: 0..<size, using: &draws)
      if !certain.contains(token) { others.insert(token) }
    }
    let weight = -log(Float(Self.sampled) / Float(size - certain.count))
    let ids = (Array(certain) + Array(others)).sorted()
    return (ids, ids.map { certain.contains($0) ? 0 : weight })
  }

  /// Finds the neighbours of `tokens`, themselves among them.
  private func learn(_ tokens: [Int]) {
    for start in stride(from: 0, to: tokens.count, by: 128) {
      let part = Array(tokens[start..<min(start + 128, tokens.count)])
      var scores = compute.linear(compute.gather(codebook, rows: part[...]), codebook.values, outputs: codebook.rows)
      compute.addBias(&scores, halfNorms.map { -$0 })
      for (row, token) in part.enumerated() {
        known[token] = largest(Self.neighbours + 1, of: Array(scores[row: row])).map(Int.init) + [token]
      }
    }
  }
}
