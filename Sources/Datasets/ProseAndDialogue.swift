extension TextDataset {
  /// Documents by turns from `state-of-the-union` and from `chitchat`: two sources of different language in one set, for a hundred documents
  /// and more. Splits are those of the two data sets.
  package static let proseAndDialogue = TextDataset(
    name: "prose-and-dialogue", summary: "English prose and dialogue by turns: state-of-the-union and chitchat",
    manifests: stateOfTheUnion.manifests + chitchat.manifests
  ) { split, store, sampling, tokenize in
    func drawn(_ set: TextDataset, _ count: Int, _ attribute: String) throws -> [TextDocument] {
      var part = sampling
      part.count = count
      return try set.documents(split, in: store, sampling: part, tokenize: tokenize).documents.map {
        var document = $0
        document.attribute = attribute
        return document
      }
    }
    let (prose, dialogue) = (
      try drawn(.stateOfTheUnion, (sampling.count + 1) / 2, "prose"), try drawn(.chitchat, sampling.count / 2, "dialogue")
    )
    return (0..<sampling.count).map { $0 % 2 == 0 ? prose[$0 / 2] : dialogue[$0 / 2] }
  }
}
