/// Examples for training and for validation, each in a drawn order.
package struct GenerationSplit: Sendable, Hashable {
  package var train: [GenerationExample]
  package var validation: [GenerationExample]

  /// Draws whole sources (stories, papers, conversations), as `TaskSplit` does and with its faults.
  package init(_ examples: [GenerationExample], validation share: Double, seed: UInt64) throws {
    (train, validation) = try TaskSplit.draw(examples, source: \.source, validation: share, seed: seed)
  }

  /// The authors' parts where the data carries them, else drawn as above; `share` then says how many examples are held out.
  /// Throws as `GenerationTask.examples(_:at:)` and `init(_:validation:seed:)` do, and `Fault` 65 for a source in both parts.
  package init(_ task: GenerationTask, at path: String, validation share: Double, seed: UInt64) throws {
    guard task.hasParts(at: path) else {
      self = try GenerationSplit(task.examples(at: path), validation: share, seed: seed)
      return
    }
    var random = SplitMix64(seed: seed)
    train = random.shuffled(try task.examples(.train, at: path))
    validation = random.shuffled(try task.examples(.validation, at: path))
    try GenerationPart.refuseSharedSources([train, validation], at: path)
  }
}
