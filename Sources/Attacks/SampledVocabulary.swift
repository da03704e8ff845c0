import Foundation
package import Kernels

/// A part of the vocabulary that stands for all of it in one step of training: the head's product over 49,152 tokens costs several times what
/// the decoder's blocks do. Every token that the batch asks for is there; of the others a uniform sample, each of which counts for as many as
/// were not drawn, so that the estimate of every softmax's denominator is unbiased (Bengio & Senécal 2008, with a uniform proposal).
package struct SampledVocabulary: Sendable {
  /// Tokens of the part: asked ones first.
  package let ids: [Int32]
  /// The asked tokens as indices into `ids`.
  package let targets: [Int32]
  /// ln of how many tokens each one stands for.
  package let offsets: [Float]

  /// Nil when the part would be as large as half the vocabulary: then the whole is no dearer. Randomness: `draw`.
  package init?(_ asked: [Int32], vocabulary: Int, negatives: Int, draw: CounterRandom) {
    var place: [Int32: Int32] = [:]
    var ids: [Int32] = []
    for token in asked where place[token] == nil {
      place[token] = Int32(ids.count)
      ids.append(token)
    }
    guard 2 * (ids.count + negatives) < vocabulary, negatives > 0 else { return nil }
    targets = asked.map { place[$0]! }
    let positives = ids.count
    var generator = draw.generator()
    while ids.count < positives + negatives {
      let token = Int32.random(in: 0..<Int32(vocabulary), using: &generator)
      if place.updateValue(0, forKey: token) == nil { ids.append(token) }
    }
    let weight = Float(log(Double(vocabulary - positives) / Double(negatives)))
    offsets = ids.indices.map { $0 < positives ? 0 : weight }
    self.ids = ids
  }
}
