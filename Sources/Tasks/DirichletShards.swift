import Diagnostics
import Foundation

extension TaskSplit {
  /// The concentrations for which draws keep their precision.
  package static let alphas = 1e-3...1e6

  /// One shard a client with skewed labels (Hsu, Qi & Brown 2019): the examples of each label are dealt out in proportions drawn from a
  /// symmetric Dirichlet distribution of concentration `alpha`. Small values give clients of few labels, large ones equal shares.
  ///
  /// Every example is in exactly one shard, in a drawn order; equal arguments give equal shards.
  /// Throws `Fault` 65 for fewer than one client, an `alpha` outside `alphas`, and when a shard would be empty.
  package static func dirichletShards(_ examples: [TaskExample], clients: Int, alpha: Double, seed: UInt64) throws -> [[TaskExample]] {
    guard clients >= 1, clients <= examples.count else {
      throw Fault(
        .invalidData, "\(examples.count) examples cannot be dealt out to \(clients) clients", hint: "one to \(examples.count) clients")
    }
    guard alphas.contains(alpha) else {
      throw Fault(.invalidData, "the Dirichlet concentration \(alpha) is out of range", hint: "from 0.001 to 1000000, for example 0.5")
    }
    var random = SplitMix64(seed: seed)
    var shards = [[TaskExample]](repeating: [], count: clients)
    for (_, members) in Dictionary(grouping: examples, by: \.label).sorted(by: { $0.key < $1.key }) {
      let order = random.shuffled(members)
      var (begin, sum) = (0, 0.0)
      for (client, share) in random.dirichlet(clients, alpha: alpha).enumerated() {
        sum += share
        let end = client == clients - 1 ? order.count : max(begin, min(order.count, Int((sum * Double(order.count)).rounded())))
        shards[client] += order[begin..<end]
        begin = end
      }
    }
    if let empty = shards.firstIndex(where: \.isEmpty) {
      throw Fault(
        .invalidData, "client \(empty) of \(clients) would have no example (alpha \(alpha), \(examples.count) examples)",
        hint: "raise alpha, take fewer clients or another seed")
    }
    return shards.map { random.shuffled($0) }
  }
}

extension SplitMix64 {
  /// Shares of `count` parts that add up to 1, from the symmetric Dirichlet distribution.
  mutating func dirichlet(_ count: Int, alpha: Double) -> [Double] {
    let logs = (0..<count).map { _ in logGamma(shape: alpha) }
    let top = logs.max() ?? 0
    let weights = logs.map { exp($0 - top) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  /// Logarithm of a Gamma variate of scale 1 (Marsaglia & Tsang 2000). Shapes below 1 are boosted by U^(1/shape), which only the logarithm
  /// holds without underflow.
  mutating func logGamma(shape: Double) -> Double {
    if shape < 1 { return logGamma(shape: shape + 1) + log(uniform()) / shape }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
      if v > 0, log(uniform()) < x * x / 2 + d - d * v + d * log(v) { return log(d * v) }
    }
  }
}
