import Diagnostics

/// A list of examples in two disjoint parts, each in a drawn order.
package struct TaskSplit: Sendable, Hashable {
  package var train: [TaskExample]
  package var validation: [TaskExample]

  /// Draws whole sources (passages) until `validation`, a share strictly between 0 and 1, of the examples is reached, so that no text is
  /// on both sides; the rest is for training. Equal arguments give equal parts.
  ///
  /// Throws `Fault` 65 for another share, and when a part would be empty.
  package init(_ examples: [TaskExample], validation share: Double, seed: UInt64) throws {
    (train, validation) = try TaskSplit.draw(examples, source: \.source, validation: share, seed: seed)
  }

  /// The two parts of any examples, as above; `source` tells which belong together.
  static func draw<Example>(
    _ examples: [Example], source: (Example) -> String, validation share: Double, seed: UInt64
  ) throws -> (train: [Example], validation: [Example]) {
    guard share > 0, share < 1 else {
      throw Fault(.invalidData, "the validation share \(share) is not between 0 and 1", hint: "for example 0.1")
    }
    var random = SplitMix64(seed: seed)
    var sizes: [String: Int] = [:]
    var sources: [String] = []
    for example in examples {
      let name = source(example)
      if sizes.updateValue((sizes[name] ?? 0) + 1, forKey: name) == nil { sources.append(name) }
    }
    let wanted = max(1, Int((Double(examples.count) * share).rounded()))
    var (held, taken): (Set<String>, Int) = ([], 0)
    for name in random.shuffled(sources) where taken < wanted {
      held.insert(name)
      taken += sizes[name] ?? 0
    }
    let order = random.shuffled(examples)
    let (train, validation) = (order.filter { !held.contains(source($0)) }, order.filter { held.contains(source($0)) })
    guard !train.isEmpty, !validation.isEmpty else {
      throw Fault(
        .invalidData, "\(examples.count) examples of \(sources.count) sources cannot be split \(1 - share) to \(share)",
        hint: "bring more examples or another share")
    }
    return (train, validation)
  }
}
