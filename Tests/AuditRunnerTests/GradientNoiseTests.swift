import Audit
import AuditRunner
import Defenses
import Diagnostics
import Foundation
import Kernels
import SplitLearning
import TestSupport
import Testing

/// Clipped noise on the gradient that a client returns.
@Suite struct GradientNoiseTests {
  private func plan(_ lines: String) throws -> TrainingPlan {
    let scratch = try Scratch()
    let path = scratch.file("plan.yaml")
    let text = """
      train: demo
      model: {checkpoint: tiny, partition: {input: 1, output: 1}}
      task: {name: rte, path: data}
      steps: 5
      \(lines)
      """
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let known = KnownNames(checkpoints: ["tiny"], datasets: [:], defenses: ["none": KnownMethod()], attacks: [:], metrics: [])
    return try TrainingPlan(contentsOf: path, known: known, tasks: ["rte"])
  }

  /// FedSEA's released option: clip 0.04 a text, mean|ε| 0.02 gives ε 18.07 a step at δ = 1e-5, and 38.1 after three epochs.
  @Test func theReleasedSettingsCostWhatTheFormulaSays() throws {
    let gradient = try #require(try plan("gradient_defense: {clip: 0.04, mean_abs: 0.02}").gradientDefense)
    #expect(abs(gradient.sigma - 0.0250663) < 1e-6)
    func number(_ key: String, _ releases: Int) throws -> Double {
      guard case .number(let value)? = try GradientNoise.statement(gradient, releases: releases)[key] else { return .nan }
      return value
    }
    #expect(abs(try number("epsilon_per_release", 1) - 18.07) < 0.01)
    #expect(abs(try number("epsilon", 3) - 38.1) < 0.1)
    // What the attacker is told of it.
    let law = GradientNoise.law(gradient)
    #expect(law.law == .gaussian && law.sigma == gradient.sigma && law.clip == 0.04)
    let silent = try #require(try plan("gradient_defense: {clip: 1, sigma: 0}").gradientDefense)
    #expect(try GradientNoise.statement(silent, releases: 3)["epsilon"] == nil)
    #expect(GradientNoise.law(silent) == NoiseStatement(defense: "gradient-noise", law: .none, sigma: 0, clip: 1))
  }

  @Test func eachTextIsClippedAsAWholeAndDrawnForItself() throws {
    let clipping = GradientNoise(try #require(try plan("gradient_defense: {clip: 0.5, sigma: 0}").gradientDefense), seed: 1)
    let x = Matrix(rows: 3, columns: 2, values: [3, 0, 0, 4, 0.1, 0.2])
    let y = clipping.protect(x, sequences: [7, 7, 8], positions: [0, 1, 0])
    #expect(largestDifference(y.values, [0.3, 0, 0, 0.4, 0.1, 0.2]) < 1e-6)
    #expect(clipping.protect(Matrix(rows: 2, columns: 2), sequences: [1, 1], positions: [0, 1]).values == [0, 0, 0, 0])

    let noisy = GradientNoise(try #require(try plan("gradient_defense: {clip: 0.5, sigma: 2}").gradientDefense), seed: 1)
    let zeros = Matrix(rows: 400, columns: 50)
    let (ids, positions) = ((0..<400).map { UInt64($0 / 4) }, (0..<400).map { $0 % 4 })
    let draws = noisy.protect(zeros, sequences: ids, positions: positions)
    let variance = draws.values.reduce(0.0) { $0 + Double($1) * Double($1) } / 20_000
    #expect(abs(variance - 4) < 5 * 4 * (2.0 / 20_000).squareRoot())
    // Independent of batching, and of the noise on the states.
    let some = noisy.protect(Matrix(rows: 2, columns: 50), sequences: [3, 3], positions: [1, 2])
    #expect(Array(some[row: 0]) == Array(draws[row: 13]) && Array(some[row: 1]) == Array(draws[row: 14]))
  }

  @Test(arguments: [
    ("gradient_defense: {sigma: 1}", "gradient_defense.clip"), ("gradient_defense: {clip: 1, sigma: 1, mean_abs: 1}", "not both"),
    ("full: [inptu]", "input"), ("full: [input]\nrepartition: [{step: 2, input: 1, output: 1}]", "cannot move"),
    ("federation: {clients: 2, partitions: [{input: 1, output: 1}]}", "1 partition points for 2 clients"),
    ("full: [input]\nfederation: {clients: 2, partitions: [{input: 1, output: 1}, {input: 2, output: 1}]}", "cannot be averaged"),
    ("adapters: {dropout: 1}", "adapters.dropout"), ("accumulate: 0", "accumulate"), ("checkpointing: yess", "checkpointing"),
    ("repartition: [{step: 9000000, input: 1, output: 1}]", "never comes"),
    ("record: {channels: [gradients/inputcut]}", "gradients/input_cut"), ("repartition: [{step: 1, input: 1, output: 1}]", "step"),
  ]) func mistakesInThePlanAreNamed(line: String, word: String) throws {
    let fault = #expect(throws: Fault.self) { try plan(line) }
    #expect(fault?.code == .invalidData && fault?.description.contains(word) == true, "\(String(describing: fault))")
  }
}
