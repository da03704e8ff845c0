import Audit
import Diagnostics
import Kernels

/// What an inverter reads of a view: the states at the cut, or the tensors of a captured cache.
struct InverterSource: Sendable {
  enum Kind: String, CaseIterable { case states, cache }

  static let texts = [
    "source": "states (default), or cache: keys and values of a server block",
    "block": "of a cache: \(CacheSettings.texts["block"]!)", "tensors": "of a cache: \(CacheSettings.texts["tensors"]!)",
  ]

  static let rules: [String: SettingRule] = [
    "source": .choice(Kind.allCases.map(\.rawValue)), "block": .text,
    "tensors": .choice(CachedTensors.Tensors.allCases.map(\.rawValue)),
  ]

  /// Block and tensors of a cache; nil for states.
  private let cache: (place: String, tensors: CachedTensors.Tensors)?
  private let attack: String

  var channels: [Channel] { cache?.tensors.channels ?? [.inputHiddenStates] }

  init(_ settings: [String: SettingValue], of attack: String) throws {
    self.attack = attack
    let reader = SettingReader(settings, of: attack)
    switch try reader.choice("source", default: Kind.states) {
    case .states:
      cache = nil
      if let key = ["block", "tensors"].first(where: { settings[$0] != nil }) {
        throw Fault(.invalidData, "\(attack): \(key) goes with source: cache", hint: "the states at the cut have no block")
      }
    case .cache: cache = (settings["block"]?.label ?? "first", try reader.choice("tensors", default: .keysAndValues))
    }
  }

  /// What is to be learned, and what is then read, [N, columns].
  func task(_ view: AdversaryView, _ means: AttackerMeans, estimatingSigma: Bool, isShuffled: Bool = false) throws -> (
    task: InverterTask, observed: Matrix
  ) {
    guard let cache else {
      let observation = try view.required(.inputHiddenStates, by: attack)
      return (InverterTask(view, means, estimatingSigma: estimatingSigma, isShuffled: isShuffled), observation.values)
    }
    try view.requireKnownNoise(by: attack)
    let seen = try CachedTensors(view, cache.tensors, place: cache.place, means, by: attack)
    var task = InverterTask(view, cache: seen.cut)
    task.isShuffled = isShuffled
    return (task, seen.observed)
  }
}
