import Attacks
import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning
import TestSupport
import Testing

/// BiSR's combined step on exchanges of tiny random models: the joint loss, and which channel decides when the other is noisy.
@Suite(.serialized) struct BidirectionalMatchingTests {
  private static let points = PartitionPoints(input: 1, output: 1)
  /// A state of 32 channels does not determine a mixture of more tokens than that; so all of them are listed.
  private static let settings: [String: SettingValue] = ["candidates": .number(0), "steps": .number(200)]

  /// The forward loop and the joint text of a scene's only document; α is that of the loss, so that the loss has the slope that it says.
  private func joint(
    _ scene: GradientScene, _ view: AdversaryView, logits: (_ token: Int32, _ row: Int) -> Float, priced: Bool = false
  ) throws -> (loop: InversionLoop, text: BidirectionalText) {
    let (model, tokens) = (scene.model, scene.documents[0])
    let (blocks, width) = (model.configuration.blocks, model.configuration.hiddenSize)
    let vocabulary = Int32(model.configuration.vocabularySize)
    let sent = try #require(view.observations[.inputHiddenStates])
    let returned = try #require(view.observations[.outputGradients]).values
    let loss = CutLoss(sent.values, sent.noise, sigma: sent.noise.sigma ?? 0, variance: (0..<width).map { 0.5 + Float($0 % 5) })
    let loop = InversionLoop(
      model.stack[0..<view.partition.input], loss, PackedBatch(lengths: [tokens.count]), iterations: 10, rate: 0.1)
    let labels = SoftLabelGradient(
      model.stack[blocks - view.partition.output..<blocks], model.head, try #require(view.observations[.outputHiddenStates]).values)
    let alpha = 1 / Double(tokens.count - 1)
    let backward = BackwardTerm(labels, returned, sigma: 1e-3 * rootMeanSquare(returned.values), scales: alpha...alpha)
    let count = 16
    let ids = tokens.indices.flatMap { t in (0..<count).map { (tokens[t] + Int32($0 * 17)) % vocabulary } }
    let soft = SoftTokens(
      values: ids.enumerated().map { logits($1, $0 / count) }, candidates: ids, count: count, temperatures: (0.5, 0.05),
      table: model.embedding.values(model.compute), width: width,
      cost: priced ? Matrix(rows: tokens.count, columns: count, values: ids.map { Float($0 % 7) }) : nil)
    let head = Matrix(rows: Int(vocabulary), columns: width, values: model.head.weight.values(model.compute))
    return (loop, BidirectionalText(soft, backward, head: head))
  }

  @Test(arguments: [("tiny-gqa", 1, 1), ("tiny-gqa", 2, 2), ("tiny-untied", 2, 1)])
  func theJointLossMeetsFiniteDifferences(name: String, input: Int, output: Int) throws {
    let scene = try GradientScene(name, lengths: [7])
    let view = try scene.view(PartitionPoints(input: input, output: output), GradientScene.cut, sigma: 0.3)
    var random = SplitMix(state: 3)
    for priced in [false, true] {
      var (loop, text) = try joint(scene, view, logits: { _, _ in Float(random.gaussian()) / 2 }, priced: priced)
      let gradient = loop.evaluate(&text, softening: 0.3).gradient
      for _ in 0..<3 {
        let direction = gradient.map { _ in Float(random.gaussian()) }
        let expected = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let step: Float = 1e-3
        func value(_ sign: Float) -> Double {
          var moved = text
          for i in moved.values.indices { moved.values[i] += sign * step * direction[i] }
          return loop.evaluate(&moved, softening: 0.3).nats
        }
        let found = (value(1) - value(-1)) / Double(2 * step)
        let size = gradient.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
        #expect(abs(found - expected) < 2e-2 * abs(expected) + 5e-3 * size, "\(found), gradient says \(expected)")
      }
    }
  }

  /// The truth explains both; a wrong token is dear, and the last one, whose state and label are of one row each, no less than another.
  @Test func theTruthCostsNothing() throws {
    let scene = try GradientScene(lengths: [9])
    let view = try scene.view(Self.points, GradientScene.cut)
    func nats(_ tokens: [Int32]) throws -> Double {
      let (loop, text) = try joint(scene, view, logits: { $0 == tokens[$1] ? 100 : 0 })
      var copy = text
      return loop.evaluate(&copy, softening: 0.3).nats
    }
    let truth = scene.documents[0]
    #expect(try nats(truth) < 0.05)
    for t in [0, 4, 8] {
      var wrong = truth
      wrong[t] = (wrong[t] + 17) % 384
      #expect(try nats(wrong) > 1, "token \(t)")
    }
  }

  @Test(arguments: ["tiny-gqa", "tiny-untied", "tiny-qwen2"]) func cleanChannelsAreRead(name: String) throws {
    let scene = try GradientScene(name, lengths: [12, 7, 1, 10])
    let view = try scene.view(Self.points, GradientScene.cut, batch: 2)
    let found = try scene.attack("bidirectional-matching", Self.settings, on: view)
    #expect(found.tokens.map(\.count) == [12, 7, 1, 10])
    #expect(scene.accuracy(found) >= 0.95, "\(scene.accuracy(found))")
  }

  /// With one channel drowned the other decides: better than the attack that reads the drowned one alone, and the first token, which has no
  /// label, is lost under noisy states only.
  @Test func theCleanChannelDecides() throws {
    let scene = try GradientScene(lengths: [12, 10, 14, 12])
    let clean = try scene.view(Self.points, GradientScene.cut)
    let rms = try Dictionary(
      uniqueKeysWithValues: [Channel.inputHiddenStates, .outputGradients].map {
        ($0, rootMeanSquare(try #require(clean.observations[$0]).values.values))
      })
    let noisyStates = try scene.view(Self.points, GradientScene.cut, sigma: 3 * rms[.inputHiddenStates]!)
    let noisyGradient = try scene.view(Self.points, GradientScene.cut, law: GradientLaw(sigma: 3 * rms[.outputGradients]!))
    let forward: [String: SettingValue] = ["candidates": .number(0), "learning_rate": .number(0.15)]
    let backward: [String: SettingValue] = ["variant": .string("bisr"), "candidates": .number(384), "steps": .number(200)]
    for (label, view) in [("states", noisyStates), ("gradient", noisyGradient)] {
      let both = scene.accuracy(try scene.attack("bidirectional-matching", Self.settings, on: view))
      let first = scene.accuracy(try scene.attack("relaxed-vocabulary", forward, on: view))
      let second = scene.accuracy(try scene.attack("gradient-matching", backward, on: view))
      let drowned = label == "states" ? first : second
      #expect(both > drowned + 0.3 && both >= 0.7, "noisy \(label): both \(both), forward \(first), backward \(second)")
    }
  }

  /// As published, without repair: most of the labels all the same.
  @Test func descentAloneReadsMost() throws {
    let scene = try GradientScene(lengths: [12, 7, 10])
    let view = try scene.view(Self.points, GradientScene.cut)
    let found = try scene.attack("bidirectional-matching", Self.settings.merging(["repair": .bool(false)]) { $1 }, on: view)
    #expect(scene.accuracy(found) >= 0.7, "\(scene.accuracy(found))")
  }

  /// Without a backward term the same descent reads the states alone, and drowned states leave it nothing.
  @Test func theBackwardTermIsWhatReadsTheGradient() throws {
    let scene = try GradientScene(lengths: [12, 10])
    let view = try scene.view(Self.points, GradientScene.cut, sigma: 1e4)
    let forward = try scene.attack("bidirectional-matching", Self.settings.merging(["backward_weight": .number(0)]) { $1 }, on: view)
    let both = try scene.attack("bidirectional-matching", Self.settings, on: view)
    #expect(scene.labels(forward) < 0.3 && scene.labels(both) > scene.labels(forward) + 0.3)
  }

  /// Documents without a token and of one, and numbers at the edge, end in an answer or a fault.
  @Test func hostileViewsDoNotTrap() throws {
    let scene = try GradientScene(lengths: [6, 1, 5])
    var view = try scene.view(Self.points, GradientScene.cut)
    view.offsets.insert(0, at: 0)
    view.messages = Array(0...4)
    let quick: [String: SettingValue] = ["steps": .number(3)]
    #expect(try scene.attack("bidirectional-matching", quick, on: view).tokens.map(\.count) == [0, 6, 1, 5])
    for channel in GradientScene.cut {
      for value in [Float.nan, .infinity, 3e38, 9e14, 1e-38] {
        var bad = view
        bad.observations[channel]!.values.values = bad.observations[channel]!.values.values.map { _ in value }
        do {
          let found = try scene.attack("bidirectional-matching", quick, on: bad)
          #expect(value.magnitude < 1e15 && found.tokens.map(\.count) == [0, 6, 1, 5])
        } catch is Fault {}
      }
    }
    view.observations[.inputHiddenStates] = nil
    #expect(throws: Fault.self) { try scene.attack("bidirectional-matching", quick, on: view) }
    #expect(throws: Fault.self) { try AttackCatalog.make("bidirectional-matching", settings: ["backward_weight": .number(-1)]) }
  }
}
