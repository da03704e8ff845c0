import Attacks
package import Audit
import Checkpoints
import Diagnostics
package import Fetching
import Foundation
import Kernels
package import Llama
import Reports

/// The models of clients that have fine-tuned: the victim's, and at K3 that of the client which colludes with the attacker.
package enum Victim {
  package enum Party: String, Sendable {
    /// Fine-tuned on the source of the documents under attack, on other passages of it where the source is a named data set.
    case victim
    /// Fine-tuned on the public text, from another start.
    case colluder
    /// The attacker's own, on public text, from a third start.
    case shadow

    fileprivate var seed: UInt64 {
      switch self {
      case .victim: 11
      case .colluder: 12
      case .shadow: 13
      }
    }
  }

  /// The party's model: the checkpoint as it is without a `victim` in the plan; else fine-tuned, once for all runs of equal settings.
  ///
  /// Adapters are kept in PEFT's format under checkpoints/victims/. Randomness: `PrivateCorpus.textSeed`, the same under all seeds of a plan.
  package static func model(
    _ party: Party, _ plan: AuditPlan, loaded: LoadedModel, store: ArtifactStore, auxiliary: [[Int32]],
    progress: (Double) throws -> Void
  ) throws -> LlamaModel {
    guard let victim = plan.victim else { return loaded.model }
    let folder = folder(party, plan, victim, loaded, store)
    let texts = try (party != .victim ? auxiliary : PrivateCorpus.victimTexts(plan, tokenizer: loaded.tokenizer, store: store))
      .filter { $0.count > 1 }
    // A file of the user's may have changed since under the same name.
    let (mark, origin) = (URL(filePath: folder).appending(path: "texts.sha256"), origin(of: texts))
    let isTrained = FileManager.default.fileExists(atPath: folder + "/adapter_config.json")
    if isTrained, let known = try? String(contentsOf: mark, encoding: .utf8), known == origin {
      return try adapted(loaded.model, by: folder)
    }
    let trained = try fineTuned(loaded.model, texts, victim, seed: party.seed, progress)
    try AdapterFile.write(trained.adapters, trained.settings, to: folder)
    try AtomicFile.write(Data(origin.utf8), to: mark)
    // Through the file: a run that trains and a run that reads have the same bits.
    return try adapted(loaded.model, by: folder)
  }

  /// The victim's model for an attacker who is granted it and works offline: it must have been fine-tuned by a run before.
  package static func stored(_ plan: AuditPlan, loaded: LoadedModel, store: ArtifactStore) throws -> LlamaModel {
    guard let victim = plan.victim else { return loaded.model }
    let folder = folder(.victim, plan, victim, loaded, store)
    guard FileManager.default.fileExists(atPath: folder + "/adapter_config.json") else {
      throw Fault(
        .missingInput, "the plan grants the victim's weights (K2), and there are none yet", at: folder,
        hint: "run or dump the plan first: it fine-tunes the victim")
    }
    return try adapted(loaded.model, by: folder)
  }

  /// SHA-256 of the folder of the victim's adapters, which a run has made before; nil where the victim runs the checkpoint as it is. Lowercase hex.
  package static func adapterDigest(_ plan: AuditPlan, loaded: LoadedModel, store: ArtifactStore) throws -> String? {
    guard let victim = plan.victim else { return nil }
    return try FileDigest.tree(URL(filePath: folder(.victim, plan, victim, loaded, store))).sha256
  }

  /// Counts changes of the training code that change its results.
  private static let version = 1

  /// Of the texts that a party was fine-tuned on, and of the training code.
  private static func origin(of texts: [[Int32]]) -> String {
    var bytes = Data("victim \(version)".utf8)
    for text in texts {
      withUnsafeBytes(of: Int64(text.count).littleEndian) { bytes.append(contentsOf: $0) }
      text.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
    return FileDigest.hex(of: bytes)
  }

  private static func adapted(_ model: LlamaModel, by folder: String) throws -> LlamaModel {
    let (adapters, settings) = try AdapterFile.read(folder, for: model.stack)
    return model.replacing(TrainableStack(model.stack, settings, adapters: adapters).adapted)
  }

  private static func folder(_ party: Party, _ plan: AuditPlan, _ victim: VictimPlan, _ loaded: LoadedModel, _ store: ArtifactStore)
    -> String
  {
    // The victim's other texts do not depend on how many documents are attacked, or how often they are sent, unless some of them are its texts.
    var source = plan.dataset
    if case .named = source.source, source.members == nil { (source.limit, source.repeats) = (nil, 1) }
    let key: [String: SettingValue] = [
      "party": .string(party.rawValue), "checkpoint": .string(loaded.description.sha256), "victim": victim.resolved,
      "dataset": source.resolved, "auxiliary": .string(plan.threatModel.auxiliary ?? ""),
    ]
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    guard let data = try? encoder.encode(key) else { preconditionFailure("settings hold only finite numbers") }
    let name = FileDigest.hex(of: data).prefix(12)
    return store.root.appending(path: "checkpoints/victims/\(party.rawValue)-\(name)").path
  }

  /// Next-token fine-tuning of all blocks. Batches go through the texts in a seeded order, again and again.
  package static func fineTuned(
    _ model: LlamaModel, _ texts: [[Int32]], _ plan: VictimPlan, seed: UInt64, _ progress: (Double) throws -> Void
  ) throws -> TrainableStack {
    guard !texts.isEmpty else {
      throw Fault(.invalidData, "there is no text to fine-tune on", hint: "threat_model.auxiliary or a larger data set")
    }
    var trainable = TrainableStack(model.stack, AdapterSettings(rank: plan.rank, alpha: Float(2 * plan.rank)), seed: seed)
    var optimizer = AdapterOptimizer(trainable.adapters)
    let schedule = LearningRateSchedule(peak: Float(plan.learningRate), warmup: min(10, plan.steps / 10), steps: plan.steps)
    var generator = CounterRandom(seed: seed, stream: "victim/order").generator()
    var order: [Int] = []
    for step in 0..<plan.steps {
      while order.count < plan.batch { order += texts.indices.shuffled(using: &generator) }
      let batch = order.prefix(plan.batch).map { texts[$0] }
      order.removeFirst(plan.batch)
      let packed = PackedBatch(lengths: batch.map(\.count))
      let tokens = batch.flatMap { $0 }
      let (states, tape) = trainable.forward(model.embedding.gather(tokens), packed)
      let (loss, _, dx) = model.head.loss(states, labels: tokens, batch: packed)
      guard loss.isFinite else {
        throw Fault(.invalidData, "the victim's fine-tuning diverged at step \(step)", hint: "a smaller victim.learning_rate")
      }
      var gradients = trainable.zeroGradients
      _ = trainable.backward(dx, tape, gradients: &gradients)
      _ = optimizer.update(&trainable.adapters, gradients: gradients, rate: schedule.rate(step))
      try progress(Double(step + 1) / Double(plan.steps))
    }
    return trainable
  }
}
