import Attacks
import Foundation
import Kernels
import TestSupport
import Testing

/// The parts of a decoder's training that have an answer of their own.
@Suite struct DecoderPartsTests {
  private func normal(_ rows: Int, _ columns: Int, _ state: UInt64) -> Matrix {
    var random = SplitMix(state: state)
    return Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { _ in Float(random.gaussian()) })
  }

  /// Exact data give the map that made them; batches add up; ridge shrinks.
  @Test func normalEquationsFindTheMap() {
    let compute = Compute(threads: 1)
    let (x, w) = (normal(200, 7, 1), normal(7, 3, 2))
    let y = compute.product(x, w)
    var problem = NormalEquations(inputs: 7, outputs: 3)
    problem.add(x.slice(0..<120), y.slice(0..<120), compute)
    problem.add(x.slice(120..<200), y.slice(120..<200), compute)
    #expect(zip(problem.solution(ridge: 0), w.values).allSatisfy { abs($0 - Double($1)) < 1e-4 })
    func size(_ w: [Double]) -> Double { w.reduce(0) { $0 + $1 * $1 } }
    #expect(size(problem.solution(ridge: 10)) < 0.1 * size(problem.solution(ridge: 0)))
  }

  @Test func identityTargetsGiveTheInverse() {
    let compute = Compute(threads: 1)
    let x = normal(400, 5, 3)
    var problem = NormalEquations(inputs: 5, outputs: 5)
    problem.add(x, nil, compute)
    problem.setIdentityTargets()
    let inverse = problem.solution(ridge: 0)
    let gram = compute.product(x, x, transposeA: true).values.map { Double($0) / 400 }
    for i in 0..<5 {
      for j in 0..<5 {
        let product = (0..<5).reduce(0.0) { $0 + gram[i * 5 + $1] * inverse[$1 * 5 + j] }
        #expect(abs(product - (i == j ? 1 : 0)) < 1e-5)
      }
    }
  }

  /// Every asked token is there once, under its own index; the sum over the vocabulary of anything is estimated without bias.
  @Test func sampledVocabularyStandsForTheWhole() throws {
    let asked: [Int32] = [5, 9, 5, 400, 9]
    let values = (0..<500).map { Double($0 % 37) }
    var total = 0.0
    for item in 0..<400 {
      let sample = try #require(
        SampledVocabulary(asked, vocabulary: 500, negatives: 50, draw: CounterRandom(seed: 1, stream: "draw/\(item)")))
      #expect(Set(sample.ids).count == 53 && sample.targets.map { sample.ids[Int($0)] } == asked)
      total += zip(sample.ids, sample.offsets).reduce(0) { $0 + values[Int($1.0)] * exp(Double($1.1)) } / 400
    }
    let expected = values.reduce(0, +)
    #expect(abs(total - expected) < 0.02 * expected, "\(total) for \(expected)")
    #expect(SampledVocabulary(asked, vocabulary: 500, negatives: 250, draw: CounterRandom(seed: 1, stream: "draw")) == nil)
  }
}
