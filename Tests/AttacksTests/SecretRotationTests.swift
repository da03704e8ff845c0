import Attacks
import Audit
import Checkpoints
import Defenses
import Diagnostics
import Kernels
import Llama
import SplitLearning
import TestSupport
import Testing

/// A secret rotation of all states, and what sequential matching makes of it (known answer 8 for rotations), on tiny random models.
@Suite(.serialized) struct SecretRotationTests {
  typealias Scene = KnownAnswerTests.Scene
  static let rotation = DefensePlan(name: "rotation")

  /// Q Qᵀ = 1, the way back is the way there turned round, inner products stay, and seeds draw different matrices of both determinants' kinds.
  @Test(arguments: [1, 2, 7, 64]) func theBasisIsOrthogonal(channels n: Int) {
    let basis = RotatedBasis(channels: n, CounterRandom(seed: 3, stream: "test"))
    let identity = Matrix(rows: n, columns: n, values: (0..<n * n).map { $0 % (n + 1) == 0 ? 1 : 0 })
    let q = basis.folded(identity)
    let product = Compute(threads: 1).product(q, q, transposeB: true)
    #expect(largestDifference(product.values, identity.values) < 1e-6)
    #expect(largestDifference(basis.unfolded(q).values, identity.values) < 1e-6)
    #expect(RotatedBasis(channels: n, CounterRandom(seed: 3, stream: "test")).folded(identity) == q)
    if n > 1 { #expect(RotatedBasis(channels: n, CounterRandom(seed: 4, stream: "test")).folded(identity) != q) }
  }

  /// Uniform over directions: the first row's first entry has mean 0 and variance 1/n over seeds.
  @Test func rowsPointEverywhereAlike() {
    let n = 3
    let entries = (0..<2000).map { seed -> Double in
      let basis = RotatedBasis(channels: n, CounterRandom(seed: UInt64(seed), stream: "test"))
      return Double(basis.folded(Matrix(rows: 1, columns: n, values: [1, 0, 0]))[0, 0])
    }
    let (mean, square) = (entries.reduce(0, +) / 2000, entries.reduce(0) { $0 + $1 * $1 } / 2000)
    #expect(abs(mean) < 5 * (1.0 / 3 / 2000).squareRoot() && abs(square - 1.0 / 3) < 0.04, "mean \(mean), variance \(square)")
  }

  /// The rotation costs the attack nothing, at every cut and in both orders of candidates; an attack that does not know of it reads nothing.
  @Test(arguments: KnownAnswerTests.models, ["proposals", "language-model"]) func rotatedStatesAreReadLikePlainOnes(
    model: String, order: String
  ) throws {
    let scene = try Scene(model)
    for p in 0...scene.model.configuration.blocks {
      let settings: [String: SettingValue] = ["candidates": .string(order)]
      let plain = scene.accuracy(try scene.attack("sequential-matching", settings, on: try scene.view(p)))
      let view = try ObservationLawTests.view(scene, Self.rotation, p: p)
      #expect(view.observations[.inputHiddenStates]!.noise.law == .rotated)
      let rotated = scene.accuracy(try scene.attack("sequential-matching", settings, on: view))
      #expect(rotated == plain && plain == 1, "p \(p): rotated \(rotated), plain \(plain)")
      #expect(scene.accuracy(try scene.attack("nearest-embedding", on: view)) < 0.15, "p \(p)")
    }
  }

  /// More channels than states: the rotation is known within a span only, and that is enough.
  @Test func fewStatesAreReadWithinTheirSpan() throws {
    for count in [1, 2] {
      let scene = try Scene("tiny-mistral", documents: count)
      #expect(scene.documents.reduce(0) { $0 + $1.count } < scene.model.configuration.hiddenSize)
      let found = try scene.attack("sequential-matching", on: try ObservationLawTests.view(scene, Self.rotation, p: 2))
      #expect(found.tokens == scene.documents, "\(count) documents")
      #expect(found.posterior?.positions == scene.documents.reduce(0) { $0 + $1.count } && found.cost.candidateForwards > 0)
    }
  }

  /// A dump in half precision rounds the invariants a thousand times as much.
  @Test func halfPrecisionStillTells() throws {
    let scene = try Scene(documents: 12)
    var view = try ObservationLawTests.view(scene, Self.rotation, p: 1)
    let values = view.observations[.inputHiddenStates]!.values.values
    view.observations[.inputHiddenStates]!.values.values = values.map { Float(Float16($0)) }
    #expect(scene.accuracy(try scene.attack("sequential-matching", on: view)) > 0.97)
  }

  /// Weights other than the victim's have other invariants: the attack then says what the language model says, which on random text is chance.
  @Test func wrongWeightsReadNothing() throws {
    let scene = try Scene(documents: 12)
    var victim = TrainableStack(scene.model.stack, AdapterSettings(targets: AdapterTarget.allCases, rank: 2, alpha: 2), seed: 7)
    var generator = CounterRandom(seed: 8, stream: "victim").generator()
    for i in victim.adapters.indices {
      for name in victim.adapters[i].names where name.text.hasSuffix("lora_B") {
        for k in victim.adapters[i][name].indices { victim.adapters[i][name][k] = Float.random(in: -3...3, using: &generator) }
      }
    }
    let view = try ObservationLawTests.view(scene, Self.rotation, p: 2, model: scene.model.replacing(victim.adapted))
    let found = try scene.attack("sequential-matching", on: view)
    #expect(found.tokens.map(\.count) == scene.documents.map(\.count))
    #expect(scene.accuracy(found) < 0.06)
    #expect(found.notes.count == 1)
  }

  /// Another law than the victim's: rotated states that are said to be plain are not read.
  @Test func theLawIsNeeded() throws {
    let scene = try Scene(documents: 12)
    var view = try ObservationLawTests.view(scene, Self.rotation, p: 1)
    view.observations[.inputHiddenStates]!.noise = .none
    #expect(scene.accuracy(try scene.attack("sequential-matching", on: view)) < 0.1)
  }

  /// Values that no file holds, or that overflow when squared, spoil their documents and no more.
  @Test func hostileValuesSpoilTheirDocumentsOnly() throws {
    let scene = try Scene(documents: 10)
    let good = try ObservationLawTests.view(scene, Self.rotation, p: 1)
    for value in [Float.nan, .infinity, 3e38, 0] {
      var view = good
      for document in [0, 4] {
        for row in view.range(of: document) {
          for c in 0..<scene.model.configuration.hiddenSize { view.observations[.inputHiddenStates]!.values[row, c] = value }
        }
      }
      let found = try scene.attack("sequential-matching", on: view)
      #expect(found.tokens.map(\.count) == scene.documents.map(\.count), "\(value)")
      for document in scene.documents.indices where document != 0 && document != 4 {
        #expect(found.tokens[document] == scene.documents[document], "\(value), document \(document)")
      }
      view.observations[.inputHiddenStates]!.values.values = view.observations[.inputHiddenStates]!.values.values.map { _ in value }
      #expect(scene.accuracy(try scene.attack("sequential-matching", on: view)) < 0.1, "\(value)")
    }
  }

  /// States of another model's width are refused, whatever their law.
  @Test func anotherWidthIsRefused() throws {
    let scene = try Scene()
    var view = try ObservationLawTests.view(scene, Self.rotation, p: 1)
    view.observations[.inputHiddenStates]!.values = Matrix(rows: view.tokens, columns: 5)
    #expect(throws: Fault.self) { try scene.attack("sequential-matching", on: view) }
  }

  /// Documents of one token have a length alone, and that opens nothing.
  @Test func singleTokensOpenNothing() throws {
    var scene = try Scene(documents: 1)
    scene.documents = (0..<20).map { [Int32($0 * 7 + 3)] }
    let found = try scene.attack("sequential-matching", on: try ObservationLawTests.view(scene, Self.rotation, p: 1))
    #expect(found.tokens == (try scene.attack("language-model", on: try scene.view(1))).tokens)
  }
}
