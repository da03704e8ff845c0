import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama

/// Files of trained inverters: `<folder>/<key>/inverter.safetensors` with README.md, its model card; `interrupted.safetensors` while it trains.
/// Whatever is read is checked first. A file that cannot be used is reported, and training starts anew.
extension InverterStore {
  func folder(_ key: InverterKey) -> URL { folder.appending(path: key.sha256) }
  func path(_ key: InverterKey, _ name: String) -> String { folder(key).appending(path: "\(name).safetensors").path }

  // MARK: - Finished inverters

  /// The stored inverter of that key, or nil.
  func inverter(_ key: InverterKey, _ recipe: InverterRecipe, _ task: InverterTask, _ data: InverterData, _ means: AttackerMeans)
    -> TrainedInverter?
  {
    reading(path(key, "inverter")) { file in
      let columns = task.columns(means.model)
      let numbers = try InverterNumbers(file)
      let space = InverterSpace(
        stored: try file.floats("space.offset", shape: [columns]),
        whitening: Matrix(rows: columns, columns: columns, values: try file.floats("space.whitening", shape: [columns, columns])),
        data, means)
      var network = recipe.network(space, sigma: task.whiteSigma, seed: means.trainingSeed, means.model.compute)
      try fill(&network, "", file)
      let temperature = Float(try numbers.number("temperature"))
      guard (1e-6...1e6).contains(temperature) else { throw Fault(.invalidData, "the temperature is \(temperature)", at: file.path) }
      guard let mode = InverterNetwork.Mode(text: file.metadata["mode"] ?? "0", experts: network.experts.count) else {
        throw Fault(.invalidData, "the metadata has no way to read a network of \(network.experts.count) experts", at: file.path)
      }
      return TrainedInverter(
        space: space, network: network, mode: mode, temperature: temperature,
        report: InverterReport(
          seconds: try numbers.seconds, steps: try numbers.integer("steps"), rate: try numbers.number("rate"),
          heldOutAccuracy: try numbers.number("held_out_accuracy"), heldOutNats: try numbers.number("held_out_nats"),
          hitBudget: try numbers.integer("hit_budget") == 1))
    }
  }

  /// Writes the inverter and its card, and removes what was kept for an interruption. Throws `Fault` 73 or 74.
  func save(_ inverter: TrainedInverter, _ key: InverterKey, _ recipe: InverterRecipe, _ task: InverterTask) throws {
    let report = inverter.report
    var tensors: [(String, [Int], [Float])] = [
      ("space.offset", [inverter.space.offset.count], inverter.space.offset),
      ("space.whitening", [inverter.space.whitening.rows, inverter.space.whitening.columns], inverter.space.whitening.values),
    ]
    var network = inverter.network
    network.visit("") { name, tensor in tensors.append((name, [tensor.value.rows, tensor.value.columns], tensor.value.values)) }
    try write(
      tensors,
      [
        "mode": inverter.mode.text, "temperature": "\(inverter.temperature)", "seconds": "\(report.seconds)", "steps": "\(report.steps)",
        "rate": "\(report.rate)",
        "held_out_accuracy": "\(report.heldOutAccuracy)", "held_out_nats": "\(report.heldOutNats)",
        "hit_budget": report.hitBudget ? "1" : "0",
      ], key, "inverter")
    try write(card: InverterCard.text(inverter, key, recipe, task), key)
    try? FileManager.default.removeItem(atPath: path(key, "interrupted"))
  }

  // MARK: - Interrupted training

  /// Where training of that key stood when it was stopped, or nil.
  func interrupted(_ key: InverterKey, _ recipe: InverterRecipe, _ initial: InverterNetwork) -> InverterTraining? {
    reading(path(key, "interrupted")) { file in
      let numbers = try InverterNumbers(file)
      var state = InverterTraining(initial)
      try fill(&state.network, "now.", file)
      let (rates, stages) = (recipe.rates.count, recipe.stages.count)
      state.leg = try numbers.integer("leg", atMost: rates + stages)
      state.step = try numbers.integer("step", atMost: 1_000_000)
      (state.stale, state.steps) = (try numbers.integer("stale"), try numbers.integer("steps"))
      (state.bestLoss, state.seconds) = (try numbers.number("best_loss"), try numbers.seconds)
      state.hitBudget = try numbers.integer("hit_budget") == 1
      state.trials = try (0..<numbers.integer("trials", atMost: rates)).map { try numbers.number("trial.\($0)") }
      guard state.trials.count == min(state.leg, rates) else {
        throw Fault(.invalidData, "\(state.trials.count) trials before leg \(state.leg)", at: file.path)
      }
      if state.step > 0 {
        var best = initial
        try fill(&best, "best.", file)
        best.visit("") { name, tensor in state.best[name] = tensor.value.values }
        try state.network.visit("") { name, tensor in
          guard file.tensors["first." + name] != nil else { return }
          let shape = [tensor.value.rows, tensor.value.columns]
          state.moments[name] = AdamW.Moments(
            first: try file.floats("first." + name, shape: shape), second: try file.floats("second." + name, shape: shape))
        }
      }
      return state
    }
  }

  /// Keeps where training stands. Throws `Fault` 73 or 74.
  func save(interrupted state: inout InverterTraining, _ key: InverterKey) throws {
    var tensors: [(String, [Int], [Float])] = []
    let (best, moments) = (state.best, state.moments)
    state.network.visit("") { name, tensor in
      let shape = [tensor.value.rows, tensor.value.columns]
      tensors.append(("now." + name, shape, tensor.value.values))
      if let values = best[name] { tensors.append(("best." + name, shape, values)) }
      guard let own = moments[name] else { return }
      tensors.append(("first." + name, shape, own.first))
      tensors.append(("second." + name, shape, own.second))
    }
    var numbers = [
      "leg": "\(state.leg)", "step": "\(state.step)", "stale": "\(state.stale)", "steps": "\(state.steps)",
      "best_loss": "\(state.bestLoss)", "seconds": "\(state.seconds)", "hit_budget": state.hitBudget ? "1" : "0",
      "trials": "\(state.trials.count)",
    ]
    for (i, loss) in state.trials.enumerated() { numbers["trial.\(i)"] = "\(loss)" }
    try write(tensors, numbers, key, "interrupted")
  }

  // MARK: - Both

  private func fill(_ network: inout InverterNetwork, _ prefix: String, _ file: SafetensorsFile) throws {
    try network.visit("") { name, tensor in
      tensor.value.values = try file.floats(prefix + name, shape: [tensor.value.rows, tensor.value.columns])
    }
  }

  /// What `read` makes of the file at `path`; nil if there is none, and if it is damaged, which is reported.
  func reading<T>(_ path: String, _ read: (SafetensorsFile) throws -> T) -> T? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    do {
      return try read(SafetensorsFile.open(at: path))
    } catch {
      notice("a stored inverter cannot be used and is trained again: \(error)")
      return nil
    }
  }

  /// Writes the model card of that key's folder. Throws `Fault` 74.
  func write(card text: String, _ key: InverterKey) throws {
    let card = folder(key).appending(path: "README.md")
    do {
      try Data(text.utf8).write(to: card, options: .atomic)
    } catch { throw Fault(.inputOutput, "the model card cannot be written: \(error.localizedDescription)", at: card.path) }
  }

  func write(_ tensors: [(String, [Int], [Float])], _ metadata: [String: String], _ key: InverterKey, _ name: String) throws {
    do {
      try FileManager.default.createDirectory(at: folder(key), withIntermediateDirectories: true)
    } catch {
      throw Fault(.cannotCreate, "the folder for trained inverters cannot be made: \(error.localizedDescription)", at: folder(key).path)
    }
    var writer = try SafetensorsWriter(
      to: path(key, name), entries: tensors.map { SafetensorsWriter.Entry($0.0, shape: $0.1) }, metadata: metadata)
    for (_, _, values) in tensors { try writer.write(values) }
    try writer.finish()
  }
}

/// The numbers in a file's metadata, which is text that anyone may have written.
struct InverterNumbers {
  private let file: SafetensorsFile

  init(_ file: SafetensorsFile) throws { self.file = file }

  /// A finite number.
  func number(_ name: String) throws -> Double {
    guard let text = file.metadata[name], let value = Double(text), value.isFinite else {
      throw Fault(.invalidData, "the metadata has no number \"\(name)\"", at: file.path)
    }
    return value
  }

  /// Seconds of training.
  var seconds: Double {
    get throws {
      let value = try number("seconds")
      guard (0...1e9).contains(value) else { throw Fault(.invalidData, "training of \(value) s", at: file.path) }
      return value
    }
  }

  /// A whole number in 0...`bound`.
  func integer(_ name: String, atMost bound: Int = 1 << 30) throws -> Int {
    guard let text = file.metadata[name], let value = Int(text), value >= 0, value <= bound else {
      throw Fault(.invalidData, "the metadata has no whole number \"\(name)\" in 0...\(bound)", at: file.path)
    }
    return value
  }
}
