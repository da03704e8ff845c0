package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama

/// An attack in any language: a program that reads view.h5 and writes guesses.h5 in a scratch folder (attacks/external/README.md).
///
/// It lives here and not in Attacks, because only the runner may start processes.
package struct ExternalAttack: Sendable {
  package static let description = MethodDescription(
    name: "external", summary: "a program of your own that reads view.h5 and writes guesses.h5", paper: "yours",
    deviations:
      "its answer is checked as any untrusted file; what it knows is up to it: it is handed the public weights, embeddings and text",
    cost: "the program's; it is killed with all of its children at the time limit", knowledge: .k0, channels: [.inputHiddenStates],
    settings: [
      "label": "a word for tables and file names, shown behind \"external-\"",
      "command": "the program and its arguments, a list or one text split at spaces; existing files are made absolute",
      "time_limit": "seconds, default 600",
    ])

  package static let rules: [String: SettingRule] = ["command": .words, "label": .text, "time_limit": .number(0.1...604_800)]

  private let command: [String]
  private let timeLimit: Double

  /// Throws `.invalidData` without a command.
  package init(_ settings: [String: SettingValue]) throws {
    guard case .list(let words)? = settings["command"], !words.isEmpty else {
      throw Fault(.invalidData, "attack \"external\" needs a command", hint: "command: [python3, attacks/external/nearest_neighbour.py]")
    }
    command = words.map(\.label)
    timeLimit = settings["time_limit"]?.number ?? 600
  }

  /// What an external program answered, and how it was kept from the truth.
  package struct Answer: Sendable {
    package var reconstruction: Reconstruction
    /// False where the system has no namespaces for it: the program then ran as this user, and could have opened this user's files.
    package var isIsolated: Bool
  }

  /// Runs the program on a copy of `view`.
  /// - Parameter tick: called about ten times a second; may throw to stop the program.
  /// - Throws: a `Fault` if the program cannot be started, exits with another status than 0, is killed, takes longer than the time limit, or
  ///   leaves no guesses.h5 or one that does not fit the view; and what `tick` throws.
  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, _ material: PublicMaterial, tick: () throws -> Void) throws
    -> Answer
  {
    let words = try Program.resolved(command)
    let task = try ExternalTask(view, means, material)
    defer { task.remove() }
    let isolation = Isolation(hiding: material.hidden, needed: words + [material.checkpoint, task.folder.path])
    var environment = Program.environment(home: task.folder.path)
    environment["FEDSEA_TASK"] = task.file("task.json")
    environment["OMP_NUM_THREADS"] = String(means.model.compute.threads)
    let clock = ContinuousClock()
    let start = clock.now
    let (ending, said) = try ProcessGroup.run(
      (isolation.prefix ?? []) + words, environment: environment, folder: task.folder.path, log: task.file("log.txt"), timeLimit: timeLimit,
      tick: tick)
    let seconds = Double((clock.now - start) / .milliseconds(1)) / 1000
    guard ending == .exited(0) else { throw fault(ending, said: said) }
    var found = try guesses(task.file("guesses.h5"), view, vocabulary: means.model.configuration.vocabularySize)
    found.cost.seconds = seconds
    return Answer(reconstruction: found, isIsolated: isolation.prefix != nil)
  }

  private func guesses(_ path: String, _ view: AdversaryView, vocabulary: Int) throws -> Reconstruction {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      throw Fault(.invalidData, "the program wrote no guesses.h5", hint: "write it into the folder in which the program is started")
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw Fault(.invalidData, "guesses.h5 is not a regular file") }
    do {
      return try GuessesFile.read(path).validated(runID: view.identity.runID, offsets: view.offsets, vocabulary: vocabulary).reconstruction
    } catch let fault as Fault {
      // The folder will be gone when somebody reads this.
      let place = (fault.location ?? "").replacingOccurrences(of: path, with: "guesses.h5")
      throw Fault(.invalidData, fault.message, at: place.isEmpty ? "guesses.h5" : place, hint: fault.hint)
    }
  }

  private func fault(_ ending: ProcessGroup.Ending, said: Data) -> Fault {
    let lines = String(decoding: said, as: UTF8.self).split(whereSeparator: \.isNewline)
    let last = lines.last.map { "its last line: \($0.prefix(200))" } ?? "it printed nothing"
    let what =
      switch ending {
      case .exited(let status): "the program ended with status \(status)"
      case .killed(let signal): "the program was killed by signal \(signal)"
      case .timedOut: "the program took longer than \(SettingValue.number(timeLimit).label) s and was killed"
      case .flooded: "the program printed more than \(ProcessGroup.logLimit >> 20) MiB and was killed"
      }
    return Fault(.invalidData, what, hint: last)
  }
}
