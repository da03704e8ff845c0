import ArgumentParser
import Foundation
import Kernels

/// Measures kernels, model and attacks; every result is one JSON line on stdout. `bench.sh` runs it beside the peers and prints the ratios.
@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fedsea-bench", abstract: "Measures kernels, the model and the attacks, on an otherwise idle machine.",
    subcommands: [Measure.self, WriteRandom.self, StepMemory.self], defaultSubcommand: Measure.self)
}

struct Measure: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Measures speed; one JSON line a result.")

  @Argument(help: "The checkpoint: a GGUF file or a Hugging Face folder.")
  var checkpoint: String

  @Option(help: "kernels, model, training, federation, attack, dump, or all.")
  var only: String = "all"

  @Option(help: "Only measurements whose peer and name contain this, for a profiler.")
  var matching: String = ""

  @Option(help: "Threads.")
  var threads: Int = Compute.processors

  @Option(help: "Timed runs after one warm-up.")
  var runs: Int = 5

  @Option(help: "wall, or processor: processor time of all threads.")
  var clock = Clock.wall

  private static let groups = ["kernels", "model", "training", "federation", "attack", "dump", "all"]

  func validate() throws {
    guard Self.groups.contains(only) else { throw ValidationError("--only is one of \(Self.groups.joined(separator: ", "))") }
    guard (1...64).contains(threads), (1...100).contains(runs) else { throw ValidationError("--threads 1...64, --runs 1...100") }
  }

  func run() throws {
    Compute.keepFreedMemory()
    let meter = Meter(threads: threads, runs: runs, matching: matching, clock: clock)
    let compute = Compute(threads: threads)
    if only == "all" || only == "kernels" { KernelBench.run(meter, compute) }
    if only == "all" || only == "model" { try ModelBench.run(meter, compute, checkpoint) }
    if only == "all" || only == "training" { try TrainingBench.run(meter, compute, checkpoint) }
    if only == "all" || only == "federation" { try FederationBench.run(meter, compute, checkpoint) }
    if only == "all" || only == "dump" { try DumpBench.run(meter) }
    if only == "all" || only == "attack" { try AttackBench.run(meter, compute, checkpoint) }
  }
}

/// What the seconds of a measurement are.
enum Clock: String, ExpressibleByArgument, CaseIterable {
  case wall
  /// Processor time of all threads together, waiting in a spin loop included: for comparing two builds on a machine that is not idle, with
  /// `--threads 1`.
  case processor

  /// Since some fixed moment.
  var seconds: Double {
    var time = timespec()
    clock_gettime(self == .wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// Times work and prints results in the peers' format.
struct Meter {
  var threads: Int
  var runs: Int
  var matching = ""
  var clock = Clock.wall

  /// Reports `amount` per second of `work`, after one warm-up run; `prepare` runs before each, outside the clock.
  /// - Returns: the seconds of each run; empty when the measurement is not wanted.
  @discardableResult func rate(
    _ measure: String, _ amount: Double, _ unit: String, peer: String = "fedsea-audit", prepare: () -> Void = {}, work: () throws -> Void
  ) rethrows -> [Double] {
    guard isWanted(measure, peer) else { return [] }
    let seconds = try times(prepare, work)
    report(measure, unit, peer, seconds.map { amount / $0 })
    return seconds
  }

  /// Reports the seconds of `work`.
  func seconds(_ measure: String, peer: String = "fedsea-audit", work: () throws -> Void) rethrows {
    guard isWanted(measure, peer) else { return }
    report(measure, "s", peer, try times({}, work))
  }

  /// Reports something that was counted or derived from runs that were timed already.
  func report(_ measure: String, _ unit: String, _ peer: String = "fedsea-audit", _ values: [Double]) {
    guard !values.isEmpty else { return }
    let sorted = values.sorted()
    line([
      "peer": peer, "measure": measure, "unit": unit, "median": sorted[sorted.count / 2], "min": sorted.first!, "max": sorted.last!,
      "runs": values.count, "clock": clock.rawValue,
    ])
  }

  func isWanted(_ measure: String, _ peer: String) -> Bool { matching.isEmpty || "\(peer) \(measure)".contains(matching) }

  func text(_ text: String, ids: [Int32], peer: String) {
    line(["peer": peer, "measure": "greedy text", "text": text, "token_ids": ids.map(Int.init)])
  }

  private func times(_ prepare: () -> Void, _ work: () throws -> Void) rethrows -> [Double] {
    try (0...runs).compactMap { run in
      prepare()
      let start = clock.seconds
      try work()
      return run == 0 ? nil : clock.seconds - start
    }
  }

  private func line(_ fields: [String: Any]) {
    var fields = fields
    fields["threads"] = threads
    guard let data = try? JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes]) else { return }
    FileHandle.standardOutput.write(data + Data("\n".utf8))
  }
}
