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

/// Texts from ∂L/∂W_Q of a client's blocks, on exchanges of tiny random models of 32 channels.
@Suite(.serialized) struct GradientSpanTests {
  private static let channels: [Channel] = [.inputHiddenStates, .queryWeightGradients]

  private func inputs(_ scene: GradientScene, _ tokens: [Int32]) -> Matrix {
    let block = scene.model.stack.blocks[0]
    return scene.model.compute.rmsNorm(scene.model.embedding.gather(tokens), weight: block.attentionNorm, epsilon: block.epsilon)
  }

  /// The rank is the number of distinct tokens that are neither first nor last; they lie in the span, and no other token does.
  @Test(arguments: ["tiny-gqa", "tiny-untied"]) func spanIsThatOfTheInputs(name: String) throws {
    let scene = try GradientScene(name, lengths: [9, 8])
    let view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels, batch: 2)
    let observation = try #require(view.observations[.queryWeightGradients])
    let gradient = try #require(observation.part(of: 0))
    let vocabulary = Int32(scene.model.embedding.rows)
    let inside = Set(scene.documents.flatMap { $0.dropFirst().dropLast() })
    let span = try #require(RowSpace(gradient, most: 15, scene.model.compute))
    #expect(span.rank == inside.count)
    let residuals = span.residuals(inputs(scene, (0..<vocabulary).map { $0 }), scene.model.compute)
    for token in 0..<Int(vocabulary) {
      if inside.contains(Int32(token)) {
        #expect(residuals[token] < 1e-4, "token \(token) of the text: \(residuals[token])")
      } else {
        #expect(residuals[token] > 0.05, "token \(token)")
      }
    }
  }

  /// Every text but its last token, in messages of one and of several texts; with noise on what is sent to the server too.
  @Test(arguments: [[14], [9, 7, 6]], [0.0, 0.1]) func textsAreRead(lengths: [Int], sigma: Double) throws {
    let scene = try GradientScene(lengths: lengths)
    let view = try scene.view(
      PartitionPoints(input: 2, output: 1), Self.channels, batch: lengths.count, law: GradientLaw(sigma: sigma))
    let found = try scene.attack("gradient-span", on: view)
    for (truth, guess) in zip(scene.documents, found.tokens) {
      #expect(guess.count == truth.count && guess.dropLast() == truth.dropLast(), "\(guess) for \(truth)")
    }
    let known = zip(scene.documents, found.tokens).map { (Array($0.dropLast()), Array($1.dropLast())) }
    #expect(known.allSatisfy { rouge($0.0, $0.1) >= 0.99 })
    // Without noise the last tokens too: they are labels.
    if sigma == 0 { #expect(zip(scene.documents, found.tokens).allSatisfy { $0.last == $1.last }) }
    let posterior = try #require(found.posterior)
    #expect(posterior.positions == view.tokens)
    // The texts explain the gradient of the second block, with noise on ∂L/∂h_B too, so there is little doubt about them.
    for row in 1..<lengths[0] - 1 { #expect(posterior.logProbabilities[row * posterior.width] > log(0.99)) }
  }

  /// ROUGE-1 F of two token sequences.
  private func rouge(_ a: [Int32], _ b: [Int32]) -> Double {
    var counts: [Int32: Int] = [:]
    for token in a { counts[token, default: 0] += 1 }
    var shared = 0
    for token in b where counts[token, default: 0] > 0 {
      counts[token]! -= 1
      shared += 1
    }
    return 2 * Double(shared) / Double(max(1, a.count + b.count))
  }

  /// Noise or a clip on the states is behind the client's own blocks: order and ends of the texts are verified all the same, and their labels, which came
  /// through the server, are left to the language model.
  @Test(arguments: [
    NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 1), NoiseStatement(defense: "gaussian", law: .none, sigma: 0, clip: 1),
  ])
  func protectedStatesDoNotHideTheTexts(statement: NoiseStatement) throws {
    let scene = try GradientScene(lengths: [8, 8, 6])
    var view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels, batch: 3)
    view.inputNoise = statement
    let found = try scene.attack("gradient-span", on: view)
    #expect(Set(found.tokens.map { Array($0.dropLast()) }) == Set(scene.documents.map { Array($0.dropLast()) }))
    #expect(try found.tokens == scene.attack("gradient-span", ["last_tokens": .string("guess")], on: view).tokens)
    #expect(found.tokens != scene.documents)
    let posterior = try #require(found.posterior)
    #expect((17..<21).allSatisfy { posterior.logProbabilities[$0 * posterior.width] > log(0.99) })
  }

  /// Two documents of a message that are much alike, as made from one template, are both found.
  @Test func documentsOfOneTemplateAreTold() throws {
    var scene = try GradientScene(lengths: [8, 8])
    scene.documents[1] = scene.documents[0]
    for (place, position) in [1, 3, 6].enumerated() { scene.documents[1][position] = Int32(370 + place) }
    let view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels, batch: 2)
    let found = try scene.attack("gradient-span", on: view)
    #expect(Set(found.tokens.map { Array($0.dropLast()) }) == Set(scene.documents.map { Array($0.dropLast()) }))
  }

  /// Singular values that fall step by step into rounding hide neither the tokens nor their order.
  @Test func aSpectrumWithoutAGapIsRead() throws {
    let scene = try GradientScene(lengths: [14])
    var view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels)
    let (rank, compute) = (12, scene.model.compute)
    var flattened: [Matrix] = []
    for block in 0..<2 {
      let gradient = try #require(view.observations[.queryWeightGradients]!.part(of: block))
      let (values, vectors) = compute.rightSingular(gradient)
      // G V D Vᵀ, whose singular values fall from 1 to 3 · 10⁻⁷, ten times the rounding of f32.
      var out = Matrix(rows: gradient.rows, columns: gradient.columns)
      for k in 0..<rank {
        let scale = pow(3e-7, Double(k) / Double(rank - 1)) / values[k]
        let direction = (0..<gradient.columns).map { vectors[k * gradient.columns + $0] }
        for r in 0..<gradient.rows {
          let along = zip(gradient[row: r], direction).reduce(0.0) { $0 + Double($1.0) * $1.1 } * scale
          for c in 0..<gradient.columns { out[r, c] += Float(along * direction[c]) }
        }
      }
      let span = try #require(RowSpace(out, most: 13, compute))
      #expect(!span.isSharp && abs(span.rank - rank) <= 1, "rank \(span.rank), \(span.spectrum)")
      flattened.append(out)
    }
    for r in 0..<flattened[0].rows {
      view.observations[.queryWeightGradients]!.values[row: r] = ArraySlice(flattened[0][row: r] + flattened[1][row: r])
    }
    let found = try scene.attack("gradient-span", on: view).tokens[0]
    let right = zip(found, scene.documents[0]).dropLast().count { $0 == $1 }
    #expect(right >= 11, "\(found) for \(scene.documents[0])")
  }

  /// Nothing in the sum over a message says which of two texts of the same length is whose: the posterior knows that it may be either.
  @Test func equalLengthsAreAnyOrder() throws {
    let scene = try GradientScene(lengths: [8, 8])
    let view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels, batch: 2)
    let found = try scene.attack("gradient-span", on: view)
    #expect(Set(found.tokens.map { Array($0.dropLast()) }) == Set(scene.documents.map { Array($0.dropLast()) }))
    let posterior = try #require(found.posterior)
    let listed = posterior.ids[posterior.width..<posterior.width + 2]
    #expect(Set(listed) == Set(scene.documents.map { $0[1] }))
    #expect(abs(posterior.logProbabilities[posterior.width] - Float(log(0.4995))) < 1e-3)
  }

  /// Last tokens are labels, whatever the loss was divided by; weights behind the span other than the victim's explain none, and leave the language model's
  /// guess, which is the answer of `guess` as well.
  @Test(arguments: ["tiny-gqa", "tiny-untied", "tiny-qwen2", "tiny-mistral"]) func lastTokensMustExplainTheGradient(name: String) throws {
    let scene = try GradientScene(name, lengths: [9, 6])
    let view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels, batch: 2)
    #expect(try scene.attack("gradient-span", on: view).tokens == scene.documents)
    var scaled = view
    let values = view.observations[.queryWeightGradients]!.values.values
    scaled.observations[.queryWeightGradients]!.values.values = values.map { $0 * 0.25 }
    #expect(try scene.attack("gradient-span", on: scaled).tokens == scene.documents)
    // A span that takes states for its own that are not leads beyond a text's end; lengths and the whole gradient say where that is.
    let wide = try scene.attack("gradient-span", ["threshold_states": .number(0.3)], on: view)
    #expect(wide.tokens == scene.documents)
    let guessed = try scene.attack("gradient-span", ["last_tokens": .string("guess")], on: view)
    #expect(guessed.tokens.map { $0.dropLast() } == scene.documents.map { $0.dropLast() })
    var other = scene
    let last = scene.model.configuration.blocks - 1
    let victim = TrainableStack(
      scene.model.stack, AdapterSettings(targets: AdapterTarget.allCases, rank: 2, alpha: 2), seed: 7)
    var foreign = victim
    for name in foreign.adapters[last].names where name.text.hasSuffix("lora_B") {
      for k in foreign.adapters[last][name].indices { foreign.adapters[last][name][k] = k.isMultiple(of: 2) ? 3 : -3 }
    }
    other.means.model = scene.model.replacing(foreign.adapted)
    let found = try other.attack("gradient-span", on: view)
    #expect(found.tokens.map { $0.dropLast() } == scene.documents.map { $0.dropLast() })
    #expect(zip(found.tokens, scene.documents).allSatisfy { $0.last != $1.last })
  }

  /// A last token that the model foresees is among those that are asked first; one at the other end of its predictions is not.
  @Test(arguments: [0, 1, 200, 383]) func foreseenLastTokensAreReadToo(rank: Int) throws {
    var scene = try GradientScene(lengths: [9, 6])
    for d in scene.documents.indices {
      let text = Array(scene.documents[d].dropLast())
      let logits = Array(scene.model.logits([text])[row: text.count - 1])
      scene.documents[d] = text + [Int32(logits.indices.sorted { logits[$0] > logits[$1] }[rank])]
    }
    let view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels, batch: 2)
    #expect(try scene.attack("gradient-span", on: view).tokens == scene.documents)
  }

  /// One block of gradients: the bag is known, its order is the language model's guess.
  @Test func oneBlockGivesTheBag() throws {
    let scene = try GradientScene(lengths: [12])
    let view = try scene.view(PartitionPoints(input: 1, output: 1), Self.channels)
    #expect(view.observations[.queryWeightGradients]?.blocks == [0])
    let found = try scene.attack("gradient-span", on: view).tokens[0]
    #expect(Set(scene.documents[0].dropFirst().dropLast()).isSubset(of: Set(found)))
    #expect(found.count == 12)
  }

  /// More positions than channels, or weight gradients with noise of their own: the attack says that it does not apply.
  @Test func whereItDoesNotApplyItSaysSo() throws {
    let scene = try GradientScene(lengths: [20, 20])
    let long = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels, batch: 2)
    let fault = #expect(throws: Fault.self) { try scene.attack("gradient-span", on: long) }
    #expect(fault?.description.contains("not applicable") == true)
    var noisy = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels)
    var random = SplitMix(state: 1)
    noisy.observations[.queryWeightGradients]!.values.values = noisy.observations[.queryWeightGradients]!.values.values.map {
      $0 + 10 * Float(random.gaussian())
    }
    let other = #expect(throws: Fault.self) { try scene.attack("gradient-span", on: noisy) }
    #expect(other?.description.contains("no gap") == true)
    // One message that cannot be read does not hide the others, and is told.
    let two = try GradientScene(lengths: [9, 8])
    var half = try two.view(PartitionPoints(input: 2, output: 1), Self.channels)
    let rows = half.observations[.queryWeightGradients]!.values.rows
    for r in 0..<rows / 2 {
      for c in 0..<half.observations[.queryWeightGradients]!.values.columns {
        half.observations[.queryWeightGradients]!.values[r, c] += 10 * Float(random.gaussian())
      }
    }
    let found = try two.attack("gradient-span", on: half)
    #expect(found.tokens[1] == two.documents[1] && found.tokens[0] != two.documents[0] && found.tokens[0].count == 9)
    #expect(found.notes.count == 1 && found.notes[0].contains("1 of 2 messages"))
  }

  @Test func badViewsAreFaults() throws {
    let scene = try GradientScene(lengths: [6, 5])
    let view = try scene.view(PartitionPoints(input: 2, output: 1), Self.channels)
    func refused(_ change: (inout AdversaryView) -> Void) {
      var bad = view
      change(&bad)
      #expect(throws: Fault.self) { try scene.attack("gradient-span", on: bad) }
    }
    refused { $0.observations = [:] }
    refused { $0.messages = [0, 2] }
    refused { $0.messages = [0, 1, 2, 2] }
    refused { $0.observations[.queryWeightGradients]!.blocks = [] }
    refused { $0.observations[.queryWeightGradients]!.blocks = [1, 2] }
    refused { $0.observations[.queryWeightGradients]!.values = Matrix(rows: 63, columns: 64) }
    refused { $0.observations[.queryWeightGradients]!.values.values[0] = .nan }
    refused { $0.observations[.queryWeightGradients]!.values = Matrix(rows: 64, columns: 64) }
    #expect(throws: Fault.self) { try AttackCatalog.make("gradient-span", settings: ["first_tokens": .number(0)]) }
  }
}
