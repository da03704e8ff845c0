import Attacks
import Audit
import AuditRunner
import Checkpoints
import Foundation
import Kernels
import LeakageMetrics
import Llama
import PrivateText
import SplitLearning
import TestSupport
import Tokenizers

/// Token `i` is the word `w<i>`.
struct WordTokenizer: Tokenizer {
  let vocabularySize: Int
  let beginToken: Int32? = nil
  let endTokens: [Int32] = []
  let specialTokens: Set<Int32> = []
  let sha256 = "words"

  func encode(_ text: String, parsingSpecial: Bool) -> [Int32] { text.split(separator: " ").compactMap { Int32($0.dropFirst()) } }
  func decode(_ ids: [Int32]) -> String { ids.map { "w\($0) " }.joined() }
  func bytes(of id: Int32) -> [UInt8] { Array("w\(id) ".utf8) }
}

/// Made-up documents behind the first blocks of a tiny random model.
struct TinyScene {
  let model: LlamaModel
  let documents: [PrivateDocument]
  var means: AttackerMeans
  let scoring: Scoring
  let material: PublicMaterial

  init(documents count: Int = 4, length: Int = 12) throws {
    let path = Fixture.path("llama/tiny-gqa")
    let model = try LlamaModel(Checkpoint.open(at: path))
    var generator = CounterRandom(seed: 5, stream: "documents").generator()
    let vocabulary = model.configuration.vocabularySize
    let tokenizer = WordTokenizer(vocabularySize: vocabulary)
    func text(_ n: Int) -> [Int32] { (0..<n).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &generator) } }
    documents = (0..<count).map { index in
      let tokens = text(length - index % 3)
      return PrivateDocument(id: "d\(index)", text: tokenizer.decode(tokens), tokens: tokens)
    }
    means = AttackerMeans(model: model, auxiliary: (0..<10).map { _ in text(20) }, excluded: [], seed: 1, memory: AttackerMemory())
    scoring = Scoring(documents, priors: nil, metrics: [TokenAccuracy()], tokenizer: tokenizer, seed: 1)
    material = PublicMaterial(checkpoint: path, hidden: [])
    self.model = model
  }

  var offsets: [Int] { documents.reduce(into: [0]) { $0.append($0.last! + $1.tokens.count) } }

  /// What a tap after `p` blocks sees; `stated` is what the view says about the noise, if that is not the truth.
  func view(_ p: Int, sigma: Double = 0, stated: Double? = nil) -> AdversaryView {
    let clean = means.states(of: documents.map(\.tokens), inputBlocks: p)
    let truth = NoiseStatement(defense: "gaussian", law: .gaussian, sigma: sigma)
    let observed = truth.observed(
      clean, sequences: documents.indices.flatMap { d in documents[d].tokens.map { _ in UInt64(d) } },
      positions: documents.flatMap { Array($0.tokens.indices) }, random: CounterRandom(seed: 9, stream: "noise"), model.compute)
    return AdversaryView(
      identity: ViewIdentity(
        runID: "tiny", planSHA256: "", checkpointSHA256: "c", tokenizerSHA256: "words", created: "", fedseaVersion: ""),
      partition: PartitionPoints(input: p, output: 0), offsets: offsets,
      observations: [
        .inputHiddenStates: Observation(
          values: observed, noise: NoiseStatement(defense: "gaussian", law: .gaussian, sigma: stated ?? sigma))
      ])
  }
}
