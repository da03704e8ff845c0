import Attacks
import Audit
import AuditRunner
import Checkpoints
import Kernels
import Llama
import PrivateText
import SplitLearning
import Testing

@Suite struct BayesReferenceTests {
  /// Clean states: every decision is right. Huge noise: the prior alone decides. Between them the reference is what an independent loop over the
  /// vocabulary decides, in Float64, from the same states and the same prior.
  @Test func theReferenceIsThePosteriorMode() throws {
    let scene = try TinyScene(documents: 4)
    func decide(_ sigma: Double) -> [BayesReference.Position] {
      BayesReference.decisions(scene.documents, scene.view(1, sigma: sigma), count: 40, scene.means) { _ in }
    }
    let clean = decide(0)
    #expect(clean.count >= 35 && clean.allSatisfy { $0.isHit })
    let noisy = decide(3)
    let model = scene.model
    let view = scene.view(1, sigma: 3)
    let unigram = Unigram.of(scene.means).logProbabilities
    let vocabulary = model.configuration.vocabularySize
    for decision in noisy.prefix(12) {
      let tokens = scene.documents[decision.document].tokens
      let prefix = Array(tokens.prefix(decision.position))
      let prior: [Double]
      if prefix.isEmpty {
        prior = unigram.map(Double.init)
      } else {
        prior = model.logits([prefix])[row: prefix.count - 1].map(Double.init)
      }
      let y = view.observations[.inputHiddenStates]!.values[row: view.offsets[decision.document] + decision.position]
      let best = (0..<Int32(vocabulary)).max { a, b in
        func score(_ v: Int32) -> Double {
          let states = scene.means.states(of: [prefix + [v]], inputBlocks: 1)
          let squared = zip(states[row: prefix.count], y).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
          return -squared / 18 + prior[Int(v)]
        }
        return score(a) < score(b)
      }
      #expect((best == tokens[decision.position]) == decision.isHit, "document \(decision.document), position \(decision.position)")
    }
    #expect(noisy.contains { $0.isHit } && noisy.contains { !$0.isHit }, "the comparison needs noise that hides some tokens")
  }
}
