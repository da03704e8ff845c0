import Audit
import Checkpoints
import Kernels
import Llama
import SplitLearning

/// Mean negative log-likelihood of documents, nats per predicted token; 0 for a document of one token, which predicts nothing.
enum DocumentLoss {
  /// Under a model that runs the texts itself.
  static func of(_ texts: [[Int32]], _ model: LlamaModel) -> [Double] {
    texts.map { text in
      guard text.count > 1 else { return 0 }
      var caches = [model.emptyCache()]
      let states = model.states(text, PackedBatch(lengths: [text.count]), caches: &caches)
      return loss(states, text, model)
    }
  }

  /// From states [N, C] of the documents after the first `blocks` blocks, which the remaining blocks of `model` go on from.
  static func of(_ texts: [[Int32]], from states: Matrix, view: AdversaryView, after blocks: Int, _ model: LlamaModel) -> [Double] {
    let stack = model.stack[blocks..<model.configuration.blocks]
    return texts.indices.map { d in
      let rows = view.range(of: d)
      guard rows.count > 1 else { return 0 }
      var caches = [stack.emptyCache()]
      let last = stack.forward(states.slice(rows), PackedBatch(lengths: [rows.count]), caches: &caches)
      return loss(last, texts[d], model)
    }
  }

  /// - Parameter states: [T, C] after the last block.
  private static func loss(_ states: Matrix, _ text: [Int32], _ model: LlamaModel) -> Double {
    let logits = model.head.logits(states.slice(0..<states.rows - 1))
    let normalisers = model.compute.logSumExp(logits)
    let total = (0..<logits.rows).reduce(0.0) { $0 + Double(normalisers[$1] - logits[$1, Int(text[$1 + 1])]) }
    return total / Double(logits.rows)
  }
}
