import Attacks
import Audit
import Checkpoints
import Defenses
import Kernels
import Llama
import Privacy
import SplitLearning
import TestSupport
import Testing

/// Secret orders of the rows, and what sequential matching makes of them (known answer 8 for permuted sequences), on tiny random models.
@Suite(.serialized) struct SecretOrderTests {
  typealias Scene = KnownAnswerTests.Scene
  static let names = ["sequence-permutation", "factorized-permutation"]

  /// There and back again; rows stay with their sequence, and every sequence has an order of its own.
  @Test(arguments: names) func theWayBackIsTheWayThereTurnedRound(name: String) throws {
    let x = Matrix(rows: 20, columns: 3, values: (0..<60).map { Float($0) })
    let sequences: [UInt64] = (0..<20).map { $0 < 9 ? 7 : $0 < 18 ? 3 : UInt64($0) }
    func basis(_ seed: UInt64) throws -> any SecretBasis {
      let statistics = try StateStatistics(rows: x.values, channels: 3)
      let protector = try DefenseCatalog.make(DefensePlan(name: name)).prepared(for: statistics, seed: seed).protector
      return try #require(protector as? any SecretBasis)
    }
    let folded = try basis(1).folded(x, sequences: sequences)
    #expect(try basis(1).unfolded(folded, sequences: sequences) == x)
    #expect(try basis(1).protect(x, sequences: sequences, positions: [Int](repeating: 0, count: 20)) == folded)
    #expect(try basis(2).folded(x, sequences: sequences) != folded)
    let places = (0..<20).map { row in Int(folded[row: row].min()! / 3) }
    #expect(Set(places.prefix(9)) == Set(0..<9) && Set(places[9..<18]) == Set(9..<18) && places[18...] == [18, 19])
    #expect(Array(places.prefix(9)) != places[9..<18].map { $0 - 9 })
  }

  /// The order costs the attack nothing behind the first block, whatever the order of candidates; an attack that does not know of it reads next to nothing.
  @Test(arguments: KnownAnswerTests.models, names) func shuffledStatesAreReadLikePlainOnes(model: String, name: String) throws {
    let scene = try Scene(model)
    for order in ["proposals", "language-model", "exhaustive"] {
      for p in 1...scene.model.configuration.blocks {
        let view = try ObservationLawTests.view(scene, DefensePlan(name: name), p: p)
        #expect(view.observations[.inputHiddenStates]!.noise.order == .secret)
        let found = try scene.attack("sequential-matching", ["candidates": .string(order)], on: view)
        #expect(found.tokens == scene.documents, "p \(p), \(order): \(scene.accuracy(found))")
        #expect(found.posterior?.positions == scene.documents.reduce(0) { $0 + $1.count } && found.cost.candidateForwards > 0)
        #expect(scene.accuracy(try scene.attack("nearest-embedding", on: view)) < 0.25, "p \(p)")
      }
    }
  }

  /// Embeddings do not know their position: the tokens come back, their order is a guess of the language model.
  @Test(arguments: names) func beforeTheFirstBlockTheOrderIsSafe(name: String) throws {
    let scene = try Scene()
    let found = try scene.attack("sequential-matching", on: try ObservationLawTests.view(scene, DefensePlan(name: name), p: 0))
    #expect(found.tokens.map { $0.sorted() } == scene.documents.map { $0.sorted() })
    #expect(found.tokens != scene.documents)
  }

  /// A wrong guess takes a row that another position needs, and noise makes wrong guesses: little noise costs little, much leaves chance.
  @Test func noiseIsWithstoodOrHides() throws {
    let scene = try Scene(documents: 12)
    let statistics = try StateStatistics(
      rows: scene.view(1).observations[.inputHiddenStates]!.values.values, channels: scene.model.configuration.hiddenSize)
    let order = try DefenseCatalog.make(DefensePlan(name: "sequence-permutation")).prepared(for: statistics, seed: 3).protector
    func accuracy(_ sigma: Double) throws -> Double {
      var view = try scene.view(1, sigma: sigma)
      let ids = scene.documents.indices.flatMap { d in scene.documents[d].map { _ in UInt64(d) } }
      let values = view.observations[.inputHiddenStates]!.values
      view.observations[.inputHiddenStates]!.values = order.protect(values, sequences: ids, positions: ids.map { _ in 0 })
      view.observations[.inputHiddenStates]!.noise.order = .secret
      return scene.accuracy(try scene.attack("sequential-matching", on: view))
    }
    let rms = statistics.rootMeanSquare
    #expect(try accuracy(0.01 * rms) > 0.97)
    #expect(try accuracy(100 * rms) < 0.1)
  }

  /// Rows that nobody can use spoil their document and no more.
  @Test func hostileValuesSpoilTheirDocumentsOnly() throws {
    let scene = try Scene(documents: 10)
    let good = try ObservationLawTests.view(scene, DefensePlan(name: "sequence-permutation"), p: 1)
    for value in [Float.nan, .infinity, 3e38, 0] {
      var view = good
      for document in [0, 9] {
        for row in view.range(of: document) {
          for c in 0..<scene.model.configuration.hiddenSize { view.observations[.inputHiddenStates]!.values[row, c] = value }
        }
      }
      let found = try scene.attack("sequential-matching", on: view)
      #expect(found.tokens.map(\.count) == scene.documents.map(\.count), "\(value)")
      for document in 1..<9 { #expect(found.tokens[document] == scene.documents[document], "\(value), document \(document)") }
    }
  }
}
