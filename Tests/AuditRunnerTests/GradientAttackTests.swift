import Attacks
import Audit
import AuditRunner
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning
import TestSupport
import Testing

/// Labels from ∂L/∂h_B, on exchanges of tiny random models: what is known in advance.
@Suite(.serialized) struct GradientAttackTests {
  private static let laws = [
    GradientLaw(), GradientLaw(clip: 1e-3), GradientLaw(factor: 0.0137), GradientLaw(factor: 60), GradientLaw(factor: 3, clip: 0.5),
  ]

  /// Without noise every label is read, whatever the depth, the batch, the divisor and the clip.
  @Test(arguments: ["tiny-gqa", "tiny-untied", "tiny-qwen2", "tiny-mistral"], [0, 1, 2]) func everyLabelIsRead(name: String, q: Int) throws
  {
    let scene = try GradientScene(name, lengths: [12, 7, 10, 2, 1])
    for (i, law) in Self.laws.enumerated() {
      for batch in [1, 3] {
        let view = try scene.view(PartitionPoints(input: 1, output: q), GradientScene.cut, batch: batch, law: law)
        #expect(view.observations[.outputGradients]?.noise == law.statement)
        let found = try scene.attack("label-matching", on: view)
        #expect(scene.labels(found) == 1, "law \(i), batch \(batch)")
        #expect(found.tokens.map(\.count) == [12, 7, 10, 2, 1])
        let posterior = try #require(found.posterior)
        #expect(posterior.positions == view.tokens)
        #expect(posterior.logProbabilities[posterior.width] > -1e-2, "the second token is as good as certain")
      }
    }
  }

  /// A small noise, stated or withheld, costs little; overwhelming noise leaves the victim's own prediction, which knows nothing of random text.
  @Test func noiseIsModelledAndHugeNoiseWins() throws {
    let scene = try GradientScene(lengths: [16, 12, 14, 16, 12, 14, 16, 16])
    let points = PartitionPoints(input: 1, output: 1)
    func view(_ sigma: Double, clip: Double? = nil) throws -> AdversaryView {
      try scene.view(points, GradientScene.cut, batch: 2, law: GradientLaw(clip: clip, sigma: sigma))
    }
    let clean = try #require(try view(0).observations[.outputGradients]).values
    let rms = rootMeanSquare(clean.values)
    var mild = try view(0.05 * rms)
    #expect(scene.labels(try scene.attack("label-matching", on: mild)) >= 0.95)
    mild.observations[.outputGradients]!.noise.sigma = nil
    #expect(scene.labels(try scene.attack("label-matching", on: mild)) >= 0.95, "withheld")
    let clipped = try view(0.05 * 0.5 * rms / Double(clean.values.count / scene.documents.count).squareRoot(), clip: 0.5 * rms)
    let share = scene.labels(try scene.attack("label-matching", on: clipped))
    #expect(share >= 0.8, "clipped: \(share)")
    for name in ["label-matching", "gradient-matching"] {
      let found = try scene.attack(name, name == "gradient-matching" ? ["steps": .number(20)] : [:], on: try view(1e4 * rms))
      #expect(scene.labels(found) < 0.06, "\(name)")
    }
  }

  /// A row without a label, as under a loss that leaves out prompts, is seen as such: the rows around it are still read.
  @Test func missingLabelsAreSeen() throws {
    let scene = try GradientScene(lengths: [12])
    let points = PartitionPoints(input: 1, output: 1)
    var view = try scene.view(points, GradientScene.cut)
    let blocks = scene.model.configuration.blocks
    let stack = TrainableStack(running: scene.model.stack[blocks - 1..<blocks])
    var labels = scene.documents[0]
    for t in [3, 4, 11] { labels[t] = ignoredLabel }
    let batch = PackedBatch(lengths: [12])
    let (states, tape) = stack.forward(try #require(view.observations[.outputHiddenStates]).values, batch)
    var none = stack.zeroGradients
    view.observations[.outputGradients]!.values = stack.backward(
      scene.model.head.loss(states, labels: labels, batch: batch).dx, tape, gradients: &none)
    let found = try scene.attack("label-matching", on: view).tokens[0]
    for t in 1..<12 where labels[t] >= 0 { #expect(found[t] == labels[t], "token \(t)") }
  }

  /// The distance at the truth is nothing, and every variant gets there or near.
  @Test func theTruthHasNoDistance() throws {
    let scene = try GradientScene(lengths: [12])
    for q in 0...2 {
      let view = try scene.view(PartitionPoints(input: 1, output: q), GradientScene.cut, law: GradientLaw(factor: 0.3))
      let states = try #require(view.observations[.outputHiddenStates]).values
      let sent = try #require(view.observations[.outputGradients]).values
      let blocks = scene.model.configuration.blocks
      let model = SoftLabelGradient(scene.model.stack[blocks - q..<blocks], scene.model.head, states)
      let truth = model.gradient(scene.model.head.weight.gather(Array(scene.documents[0].dropFirst())))
      var other = scene.documents[0]
      other[5] = (other[5] + 1) % 384
      let wrong = model.gradient(scene.model.head.weight.gather(Array(other.dropFirst())))
      for distance in GradientDistance.allCases {
        #expect(distance.evaluate(truth, sent).value < 1e-5, "\(distance), q \(q)")
        #expect(distance.evaluate(wrong, sent).value > 1e-3, "\(distance), q \(q)")
      }
    }
  }

  /// The way back from G to the labels' mixture is the transpose of the way there: ⟨e, G(s) − G(0)⟩ = ⟨Gᵀe, s⟩; and distances have their slopes.
  @Test func gradientsOfDistancesAreSlopes() throws {
    let scene = try GradientScene(lengths: [9])
    let view = try scene.view(PartitionPoints(input: 1, output: 2), GradientScene.cut)
    let states = try #require(view.observations[.outputHiddenStates]).values
    let model = SoftLabelGradient(scene.model.stack[2..<4], scene.model.head, states)
    var random = SplitMix(state: 6)
    func draw() -> Matrix { Matrix(rows: 9, columns: 32, values: (0..<9 * 32).map { _ in Float(random.gaussian()) }) }
    func dot(_ a: Matrix, _ b: Matrix) -> Double { zip(a.values, b.values).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
    let (e, s) = (draw(), draw())
    let there = dot(e, model.gradient(s)) - dot(e, model.gradient(Matrix(rows: 9, columns: 32)))
    #expect(abs(there - dot(model.transposed(e), s)) < 1e-2 * abs(there) + 1e-3)
    let (guess, sent, direction) = (draw(), draw(), draw())
    for distance in [GradientDistance.dlg, .lamp] {
      func value(_ h: Float) -> Double {
        var x = guess
        for i in x.values.indices { x.values[i] += h * direction.values[i] }
        return distance.evaluate(x, sent).value
      }
      let slope = (value(1e-3) - value(-1e-3)) / 2e-3
      #expect(abs(slope - dot(distance.evaluate(guess, sent).gradient, direction)) < 1e-2 * abs(slope) + 1e-4, "\(distance)")
    }
  }

  @Test(arguments: ["dlg", "tag", "lamp", "bisr"]) func descentReadsLabels(variant: String) throws {
    let scene = try GradientScene(lengths: [10, 8])
    let view = try scene.view(PartitionPoints(input: 1, output: 1), GradientScene.cut, batch: 2)
    let settings: [String: SettingValue] = ["variant": .string(variant), "candidates": .number(384), "steps": .number(200)]
    // What fluent text is helps with random text as little as anything.
    let own: [String: SettingValue] = variant == "lamp" ? ["fluency": .number(0)] : [:]
    let found = try scene.attack("gradient-matching", settings.merging(own) { $1 }, on: view)
    #expect(scene.labels(found) >= 0.7, "\(variant): \(scene.labels(found))")
  }

  @Test(arguments: ["label-matching", "gradient-matching", "bidirectional-matching"]) func badViewsAreFaults(name: String) throws {
    let scene = try GradientScene(lengths: [6, 5])
    let view = try scene.view(PartitionPoints(input: 1, output: 1), GradientScene.cut)
    func refused(_ change: (inout AdversaryView) -> Void) {
      var bad = view
      change(&bad)
      #expect(throws: Fault.self) { try scene.attack(name, on: bad) }
    }
    refused { $0.observations[.outputGradients] = nil }
    refused { $0.observations[.outputHiddenStates] = nil }
    refused { $0.observations[.outputGradients]!.values = Matrix(rows: 11, columns: 31) }
    refused { $0.observations[.outputGradients]!.values = Matrix(rows: 10, columns: 32) }
    refused { $0.observations[.outputHiddenStates]!.values = Matrix(rows: 10, columns: 32) }
    refused { $0.observations[.outputHiddenStates]!.values.values[3] = .nan }
    refused { $0.observations[.outputGradients]!.values.values[3] = .infinity }
    refused { $0.partition.output = 9 }
    refused { $0.messages = [0, 1] }
    refused { $0.messages = [] }
    refused { $0.messages = [0, 3, 2] }
    #expect(throws: Fault.self) { try AttackCatalog.make(name, settings: ["learning_rate": .string("fast")]) }
    // Nothing to see: zeros are no error.
    var empty = view
    empty.observations[.outputGradients]!.values = Matrix(rows: 11, columns: 32)
    #expect(throws: Never.self) { try scene.attack(name, name == "label-matching" ? [:] : ["steps": .number(2)], on: empty) }
  }
}
