import Kernels

/// Which of the documents under attack the victim was fine-tuned on.
enum Membership {
  /// - Parameters:
  ///   - attributes: the kind of source of each document; members are drawn from each kind alike.
  ///   - share: of each kind, rounded to whole documents.
  /// - Returns: one mark a document. Randomness: `seed` and the number of documents of each kind.
  static func marks(_ attributes: [String?], share: Double, seed: Int) -> [Bool] {
    var marks = attributes.map { _ in false }
    for (kind, indices) in Dictionary(grouping: attributes.indices, by: { attributes[$0] ?? "" }) {
      var generator = CounterRandom(seed: UInt64(seed), stream: "members/\(kind)").generator()
      for index in indices.shuffled(using: &generator).prefix(Int((share * Double(indices.count)).rounded())) { marks[index] = true }
    }
    return marks
  }
}
