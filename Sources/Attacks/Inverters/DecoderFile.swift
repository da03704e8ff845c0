import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels

/// Files of trained attention decoders, beside those of the inverters: `<folder>/<key>/decoder.safetensors` with README.md, its model card.
extension InverterStore {
  /// The stored decoder of that key, or nil. A file that cannot be used is reported, and training starts anew.
  /// - Parameter form: a decoder of the same form, whose values are replaced.
  func decoder(_ key: InverterKey, like form: InversionDecoder) -> TrainedDecoder? {
    reading(path(key, "decoder")) { file in
      let numbers = try InverterNumbers(file)
      let decoder = try form.restored(
        from: form.tensors.map { NamedTensor($0.name, shape: $0.shape, values: try file.floats($0.name, shape: $0.shape)) })
      guard (1e-6...1e6).contains(decoder.temperature) else {
        throw Fault(.invalidData, "the temperature is \(decoder.temperature)", at: file.path)
      }
      guard let source = file.metadata["source"].flatMap(DecoderCurriculum.Source.init) else {
        throw Fault(.invalidData, "the metadata does not say where the labelled states come from", at: file.path)
      }
      return TrainedDecoder(
        decoder: decoder, source: source, learningRate: try numbers.number("rate"), steps: try numbers.integer("steps"),
        seconds: try numbers.seconds, heldOutLoss: try numbers.number("held_out_nats"),
        heldOutAccuracy: try numbers.number("held_out_accuracy"))
    }
  }

  /// Writes the decoder and its card. Throws `Fault` 73 or 74.
  func save(_ trained: TrainedDecoder, _ key: InverterKey) throws {
    try write(
      trained.decoder.tensors.map { ($0.name, $0.shape, $0.values) },
      [
        "source": trained.source.rawValue, "rate": "\(trained.learningRate)", "steps": "\(trained.steps)", "seconds": "\(trained.seconds)",
        "held_out_nats": "\(trained.heldOutLoss)", "held_out_accuracy": "\(trained.heldOutAccuracy)",
      ], key, "decoder")
    try write(card: Self.card(trained, key), key)
    try? FileManager.default.removeItem(atPath: path(key, "interrupted"))
  }

  /// Where training of that key stood when it was stopped, or nil.
  /// - Parameters:
  ///   - start: the decoder that it started from.
  ///   - trials: how many learning rates are tried.
  ///   - steps: of the final training, at most.
  func interrupted(_ key: InverterKey, from start: InversionDecoder, trials: Int, steps: Int) -> DecoderProgress? {
    reading(path(key, "interrupted")) { file in
      let numbers = try InverterNumbers(file)
      var state = DecoderProgress(start)
      state.trials = try (0..<numbers.integer("trials", atMost: trials)).map { try numbers.number("trial.\($0)") }
      state.seconds = try numbers.seconds
      let step = try numbers.integer("step", atMost: steps)
      guard step > 0 else { return state }
      guard state.trials.count == trials else {
        throw Fault(.invalidData, "training began after \(state.trials.count) of \(trials) trials", at: file.path)
      }
      let courseSeconds = try numbers.number("course_seconds")
      guard (0...state.seconds).contains(courseSeconds) else {
        throw Fault(.invalidData, "\(courseSeconds) s of \(state.seconds)", at: file.path)
      }
      state.course.seconds = courseSeconds
      state.course.decoder = try start.restored(
        from: start.tensors.map { NamedTensor($0.name, shape: $0.shape, values: try file.floats("now." + $0.name, shape: $0.shape)) })
      state.course.optimizer = try state.course.optimizer.restored(step: step) { name, count in
        let second = try file.floats("second." + name, shape: [count])
        guard second.allSatisfy({ $0 >= 0 }) else { throw Fault(.invalidData, "a squared gradient of \(name) is negative", at: file.path) }
        return AdamW.Moments(first: try file.floats("first." + name, shape: [count]), second: second)
      }
      return state
    }
  }

  /// Keeps where training stands. Throws `Fault` 73 or 74.
  func save(interrupted state: DecoderProgress, _ key: InverterKey) throws {
    var numbers = [
      "trials": "\(state.trials.count)", "seconds": "\(state.seconds)", "step": "\(state.course.step)",
      "course_seconds": "\(state.course.seconds)",
    ]
    for (i, loss) in state.trials.enumerated() { numbers["trial.\(i)"] = "\(loss)" }
    var tensors: [(String, [Int], [Float])] = []
    if state.course.step > 0 {
      tensors = state.course.decoder.tensors.map { ("now." + $0.name, $0.shape, $0.values) }
      for (name, own) in state.course.optimizer.moments {
        tensors.append(("first." + name, [own.first.count], own.first))
        tensors.append(("second." + name, [own.second.count], own.second))
      }
    }
    try write(tensors, numbers, key, "interrupted")
  }

  private static func card(_ trained: TrainedDecoder, _ key: InverterKey) -> String {
    """
    # Attention decoder \(key.sha256.prefix(12))

    Reads tokens from hidden states (`attention-decoder`, \(trained.decoder.mode.rawValue)).

    | | |
    |---|---|
    | trained on | \(trained.source == .collusion ? "a colluding client's labelled states" : "public text of the plan") |
    | cost | \(trained.steps) steps, \(String(format: "%.0f", trained.seconds)) s |
    | learning rate, temperature | \(trained.learningRate), \(trained.decoder.temperature) (chosen on held-out passages) |
    | held-out passages | \(String(format: "%.1f %%", 100 * trained.heldOutAccuracy)) of the questions, \(String(format: "%.3f", trained.heldOutLoss)) nats each |

    The name of the folder is the SHA-256 of these lines:

    \(key.facts.map { "    " + $0 }.joined(separator: "\n"))

    """
  }
}
