package import Audit
import Checkpoints
import Foundation
package import Kernels
package import Llama

/// Distances from one observed state to that of every token of the vocabulary after one prefix: the exhaustive step of vocabulary matching.
package struct VocabularyDistances: Sendable {
  private let model: LlamaModel
  private let exact: BlockStack
  /// The same blocks in bf16, twice as fast, or nil where the CPU has no bf16 products.
  private let coarse: BlockStack?
  private let clip: Float?

  /// - Parameter clip: bound on the norm of a state, if the client clips.
  package init(_ means: AttackerMeans, inputBlocks: Int, clip: Float? = nil) {
    (model, exact, self.clip) = (means.model, means.model.stack[0..<inputBlocks], clip)
    coarse =
      Compute.hasBF16Products && inputBlocks > 0
      ? means.memory.table("blocks in bf16/\(inputBlocks)") { means.model.stack[0..<inputBlocks].narrowed() } : nil
  }

  /// A token whose exact distance is known.
  package struct Contender: Sendable {
    package var token: Int32
    package var squaredDistance: Float
    package var score: Float
  }

  /// ‖F_p(prefix, v) − y‖² for every token v, [V], each computed in full in f32: V forwards of one token.
  /// - Parameter target: y, [1, C].
  package func squaredDistances(after prefix: SequenceCache, to target: Matrix) -> [Float] {
    squaredDistances(Array(0..<Int32(model.configuration.vocabularySize)), exact, prefix, target)
  }

  /// Tokens the bf16 pass may leave out hold less than this share of the posterior mass, all together.
  private static let negligible = 1e-6
  /// How often the largest error of a distance seen so far, among tokens evaluated both ways, another token's may reach.
  private static let errorMargin: Float = 4
  private static let firstContenders = 64

  /// Every token whose score −d²/(2σ²) + prior can matter, with its exact distance; all others together hold less than 1e-6 of the mass.
  ///
  /// All tokens go through the blocks in bf16. The best 64 are then evaluated in f32, which shows how far bf16 distances are off, and after
  /// them whatever could still matter if its own distance were off by four times as much. Without bf16 products all tokens are evaluated in f32.
  /// - Parameters:
  ///   - target: y, [1, C].
  ///   - sigma: standard deviation of the likelihood.
  ///   - prior: λ ln q(v), [V].
  package func contenders(after prefix: SequenceCache, to target: Matrix, sigma: Float, prior: [Float]) -> [Contender] {
    func score(_ token: Int, _ squaredDistance: Float) -> Float { -squaredDistance / (2 * sigma * sigma) + prior[token] }
    guard let coarse else {
      return squaredDistances(after: prefix, to: target).enumerated().map {
        Contender(token: Int32($0), squaredDistance: $1, score: score($0, $1))
      }
    }
    let all = Array(0..<Int32(model.configuration.vocabularySize))
    let rough = squaredDistances(all, coarse, prefix, target).map { $0.squareRoot() }
    var found: [Contender] = []
    var isKnown = [Bool](repeating: false, count: rough.count)
    var error: Float = 0
    func evaluate(_ tokens: [Int32]) {
      for (token, distance) in zip(tokens, squaredDistances(tokens, exact, prefix, target)) {
        found.append(Contender(token: token, squaredDistance: distance, score: score(Int(token), distance)))
        isKnown[Int(token)] = true
        error = max(error, abs(distance.squareRoot() - rough[Int(token)]))
      }
    }
    evaluate(largest(Self.firstContenders, of: rough.enumerated().map { score($0, $1 * $1) }))
    while true {
      let best = found.reduce(-Float.infinity) { max($0, $1.score) }
      let bounds = rough.enumerated().map { token, distance -> Double in
        if isKnown[token] { return -.infinity }
        let least = max(0, distance - Self.errorMargin * error)
        return Double(score(token, least * least) - best)
      }
      guard bounds.reduce(0, { $0 + exp($1) }) >= Self.negligible else { return found }
      let threshold = log(Self.negligible / Double(rough.count))
      evaluate(bounds.indices.filter { bounds[$0] >= threshold }.map(Int32.init))
    }
  }

  private func squaredDistances(_ ids: [Int32], _ stack: BlockStack, _ prefix: SequenceCache, _ target: Matrix) -> [Float] {
    var distances: [Float] = []
    distances.reserveCapacity(ids.count)
    for start in stride(from: 0, to: ids.count, by: Codebook.batch) {
      let part = Array(ids[start..<min(start + Codebook.batch, ids.count)])
      var states = stack.candidates(model.embedding.gather(part), prefixOf: part.map { _ in 0 }, caches: [prefix])
      if let clip { model.compute.clipRows(&states, bound: clip) }
      distances += model.compute.squaredDistances(states, to: target, target: part.map { _ in 0 })
    }
    return distances
  }
}
