package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// A15: what the model answers, read from what the server itself sends back. The server made h_B; with the weights of the client's last blocks (K2, or
/// the public ones at K1) it finishes the forward pass, and the most probable token after every position is what a greedy client writes next. In a
/// decoding stream this is the response, whatever noise lies on h̃_A: the noise is in h_B already, and the client's own choice follows from h_B.
///
/// For the prompt it is only a guess of the next token. The token after position t stands at t + 1; the first token is the unigram's.
package struct ResponseReading: Attack {
  package static let description = MethodDescription(
    name: "response-reading",
    summary: "finishes the forward pass from h_B: the next token after every position, so a greedy response exactly",
    paper: "model completion in split LLMs; logit lens (nostalgebraist 2020) at q = 0",
    deviations: "exact last blocks at K2, public ones at K1",
    cost: "q blocks and the head, once a token", knowledge: .k1, channels: [.outputHiddenStates])

  /// Probability that a client of unknown ways does not write the most probable token.
  private static let doubt = 1e-3

  package init(_ settings: [String: SettingValue]) throws {}

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.outputHiddenStates, by: Self.description.name)
    let (started, model) = (Date(), means.model)
    let blocks = model.stack.blocks.count
    try view.checkRows(observation.values, "states at the output cut", width: model.configuration.hiddenSize, Self.description.name)
    guard (0...blocks).contains(view.partition.output) else {
      throw Fault(.invalidData, "\(Self.description.name): \(view.partition.output) client blocks of a model of \(blocks)")
    }
    let output = model.stack[blocks - view.partition.output..<blocks]
    let first = Unigram.of(means).logProbabilities
    var found = Reconstruction(tokens: [], posterior: TokenPosterior(width: SequentialDecoder.posteriorWidth))
    for document in 0..<view.documents {
      let range = view.range(of: document)
      let prompt = document < view.promptLengths.count ? view.promptLengths[document] : range.count
      guard !range.isEmpty else { found.tokens.append([]); continue }
      var caches = [output.emptyCache()]
      let states = output.forward(observation.values.slice(range), PackedBatch(lengths: [range.count]), caches: &caches)
      let logits = model.head.logits(states)
      let normalisers = model.compute.logSumExp(logits)
      var tokens: [Int32] = []
      for t in range.indices.map({ $0 - range.lowerBound }) {
        let row = t == 0 ? first : logits[row: t - 1].map { $0 - normalisers[t - 1] }
        tokens.append(largest(1, of: row)[0])
        if t < prompt {
          found.posterior!.append(densest: row, width: SequentialDecoder.posteriorWidth)
        } else {
          // A greedy client writes this one, and the next state that crosses is of it.
          found.posterior!.append(ids: [tokens[t]], logProbabilities: [Float(log(1 - Self.doubt))], rest: Float(log(Self.doubt)))
        }
      }
      found.tokens.append(tokens)
      try progress(Double(document + 1) / Double(view.documents))
    }
    found.cost = AttackCost(seconds: Date().timeIntervalSince(started))
    return found
  }
}
