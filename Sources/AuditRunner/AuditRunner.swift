import Attacks
import Tokenizers
package import Audit
import Checkpoints
import Diagnostics
package import Fetching
package import Foundation
import Defenses
import HDF5
package import Kernels
import LeakageMetrics
import Llama
import Privacy
import PrivateText
import Reports
import SplitLearning

/// Runs a plan: every cell of its sweep through the split model, the tap, the attacks and the scorer, one after another. Each finished cell is
/// on disk before the next begins, so a run that is stopped goes on where it was.
package final class AuditRunner {
  /// What a run tells the person who waits.
  package struct Progress: Sendable {
    package var cell: Int
    package var cells: Int
    package var stage: String
    /// Share of the whole run that is done, 0...1.
    package var fraction: Double
    /// Share of the whole run that was there before.
    package var reused = 0.0
  }

  /// Cells of a run: those of the plan, or those that `only` names.
  private struct Tally {
    var wanted: Int
    var begun = 0
    var reused = 0
    /// `part` of the current cell is done.
    func progress(_ stage: String, _ part: Double = 0) -> Progress {
      let whole = Double(max(1, wanted))
      return Progress(
        cell: begun, cells: wanted, stage: stage, fraction: (Double(max(0, begun - 1)) + part) / whole, reused: Double(reused) / whole)
    }
  }

  private let plan: AuditPlan
  private let store: ArtifactStore
  private let compute: Compute
  private let report: (Progress) throws -> Void
  private let announce: (String) -> Void
  private var hasAnnounced = false
  /// Asked once: whoever commits while a run goes on does not change what runs.
  private lazy var code = Provenance.code(root: store.root)

  /// - Parameters:
  ///   - announce: told once, before anything is recorded, how much disk the views of the cells to come will take.
  ///   - report: called often; throwing stops the run, with all finished cells kept.
  package init(
    _ plan: AuditPlan, store: ArtifactStore, compute: Compute, announce: @escaping (String) -> Void = { _ in },
    report: @escaping (Progress) throws -> Void
  ) {
    (self.plan, self.store, self.compute, self.announce, self.report) = (plan, store, compute, announce, report)
  }

  /// Runs all cells and writes `directory`/record.json, samples.jsonl, truth.h5 and cells/<cell>/{view.h5, cell.json}.
  /// - Parameters:
  ///   - fresh: compute every cell again, even if a finished one of the same origin is there.
  ///   - invocation: the command line, for the report's "how to reproduce".
  ///   - only: compute cells alone whose names have all parts of this, such as `p1-seed2`, so that several processes may share a run.
  /// - Returns: the record; it is complete once every cell is there.
  package func run(
    in directory: URL, runID: String, fresh: Bool = false, invocation: [String]? = nil, only: String? = nil
  ) throws -> AuditRecord {
    let started = Date()
    let cells = try plan.cells()
    if let only, !cells.contains(where: { $0.isNamed(by: only) }) {
      throw Fault(.usage, "no cell of the plan has \"\(only)\" in its name", hint: cells.first.map { "the first one is \($0.id)" })
    }
    let isWanted = { (cell: PlanCell) in only.map { cell.isNamed(by: $0) } ?? true }
    var tally = Tally(wanted: cells.count(where: isWanted))
    try report(tally.progress("loading \(plan.model.checkpoint)"))
    let loaded = try LoadedModel(plan.model.checkpoint, in: store, compute: compute)
    for cell in cells { _ = try cell.partition.validated(blocks: loaded.model.configuration.blocks) }
    try Self.makeFolder(directory.appending(path: "cells"))
    let loadSeconds = Date().timeIntervalSince(started)

    let created = Provenance.now()
    var workbenches: [Int: Workbench] = [:]
    let memory = AttackerMemory()
    var finished: [CellFile] = []
    var record: AuditRecord?
    // Planted leaks are looked for once per partition, in its first cell.
    var controlled: Set<PartitionPoints> = []
    let task = try plan.task?.recorded()
    let material = try PublicMaterial(plan, store: store, hiding: [directory.path])
    for (index, cell) in cells.enumerated() {
      let isLeftOut = !isWanted(cell)
      if !isLeftOut { tally.begun += 1 }
      if isLeftOut, !FileManager.default.fileExists(atPath: CellFile.url(cell.id, in: directory).path) { continue }
      let bench =
        try workbenches[cell.seed]
        ?? Workbench(cell.plan, seed: cell.seed, loaded: loaded, store: store, memory: memory) { stage, part in
          try report(tally.progress("fine-tuning the \(stage), \(Int(part * 100)) %"))
        }
      workbenches[cell.seed] = bench
      if index == 0 { try TruthFile(runID: runID, documents: bench.corpus.sent).write(to: directory.appending(path: "truth.h5").path) }
      let isFirst = !controlled.contains(cell.partition)
      let origin = origin(loaded, bench)
      let file: CellFile
      if !fresh || isLeftOut, let known = CellFile.read(cell.id, in: directory, origin: origin),
        !isFirst || isLeftOut || known.plantedLeak != nil
      {
        file = known
        if !isLeftOut { tally.reused += 1 }
      } else if isLeftOut {
        continue
      } else {
        file = try measure(
          cell, bench, material, directory: directory, runID: runID, created: created, origin: origin, plants: isFirst, tally)
        try file.write(in: directory)
      }
      controlled.insert(cell.partition)
      finished.append(file)
      var current = try assemble(
        finished, loaded, workbenches, runID: runID, created: created, complete: finished.count == cells.count,
        seconds: Date().timeIntervalSince(started), loadSeconds: loadSeconds, invocation: invocation)
      current.task = task
      try RecordFile.write(current, toDirectory: directory)
      record = current
    }
    if let source = plan.task, task == nil, finished.count == cells.count {
      record?.task = try source.measured(in: directory, store: store, compute: compute, report)
      if let record { try RecordFile.write(record, toDirectory: directory) }
    }
    try AtomicFile.write(
      try SampleFile.encode(finished.flatMap(\.samples)), to: directory.appending(path: SampleFile.name), isPrivate: true)
    guard let record else { throw Fault(.invalidData, "the plan has no cell") }
    return record
  }

  private func origin(_ loaded: LoadedModel, _ bench: Workbench) -> [String: String] {
    [
      "plan": plan.sha256, "checkpoint": loaded.description.sha256, "dataset": bench.corpus.description.sha256, "version": Version.current,
      "code": code,
    ]
  }

  // MARK: - One cell

  private func measure(
    _ cell: PlanCell, _ bench: Workbench, _ material: PublicMaterial, directory: URL, runID: String, created: String,
    origin: [String: String], plants: Bool, _ tally: Tally
  ) throws -> CellFile {
    let began = Date()
    // The exchange, every attack, every inference and the reference are one share each of what the bar counts.
    let control = plants ? StandingControls.shuffled(cell.plan) : nil
    let planned = StandingControls.completed(cell.plan.attacks) + [control].compactMap { $0 }
    let (attacks, inferences) = (planned.count, cell.plan.inference.count)
    let shares = Double(1 + attacks + inferences + (cell.plan.reference > 0 ? 1 : 0))
    func teller(after done: Int, of count: Int = 1) -> (String, Double) throws -> Void {
      { stage, part in try self.report(tally.progress("\(cell.id): \(stage)", (Double(done) + part * Double(count)) / shares)) }
    }
    let exchanging = teller(after: 0)
    try exchanging("split forward", 0)
    let defense = try DefenseCatalog.make(cell.defense).prepared(
      for: try bench.statistics(inputBlocks: cell.partition.input), seed: UInt64(cell.seed))
    let identity = ViewIdentity(
      runID: runID, planSHA256: plan.sha256, checkpointSHA256: bench.loaded.description.sha256,
      tokenizerSHA256: bench.loaded.description.tokenizerSHA256, created: created, fedseaVersion: Version.current)
    let setting = bench.setting(cell, defense)
    let means = bench.means(inputBlocks: cell.partition.input, defense: defense)
    if !hasAnnounced {
      hasAnnounced = true
      let left = tally.wanted - tally.begun + 1
      let bytes = left * (try SplitExchange.predictedBytes(setting, bench.corpus.sent, precision: .f32))
      announce("views          about \(bytes.formatted(.byteCount(style: .file))) in \(left == 1 ? "1 cell" : "\(left) cells")")
    }
    let folder = directory.appending(path: "cells/\(cell.id)")
    try Self.makeFolder(folder)
    let path = folder.appending(path: "view.h5").path
    let exchange = try bench.dump(cell, setting, identity: identity, to: path) { try exchanging("split forward", $0) }
    // Answers differ from cell to cell, so the truth does too.
    let scoring = try setting.responses > 0 ? bench.scoring(of: exchange.documents, cell.plan) : bench.scoring
    if setting.responses > 0 {
      try TruthFile(runID: runID, documents: exchange.documents).write(to: folder.appending(path: "truth.h5").path)
    }
    let forwardSeconds = Date().timeIntervalSince(began)

    // Where documents are sent again, messages are of sends and not of documents.
    let messages = cell.plan.dataset.repeats > 1 ? [] : exchange.messages
    let attacked = try attack(planned, cell, bench, scoring, messages, path, means, material, teller(after: 1, of: attacks))
    let reported = attacked.scored.filter { $0.attack != control?.label }
    let states = try ViewFile.read(path, channels: [.inputHiddenStates])
    let planted = plants ? try PlantedLeak.control(setting, cell: cell.id, bench.means, bench.scoring) : nil
    var settings = cell.settings
    settings.merge(defense.units) { _, unit in unit }
    let inferred = try InferenceStage(
      cell: cell, bench: bench, documents: exchange.documents, viewPath: path, means: means, defense: defense, settings: settings
    ).run(teller(after: 1 + attacks, of: inferences))
    let comparing = teller(after: 1 + attacks + inferences)
    return CellFile(
      cell: cell.id, origin: origin, results: scoring.results(reported, cell: cell.id, settings: settings),
      samples: reported.flatMap { scoring.samples($0, cell: cell.id) },
      utility: Comparison.perplexity(
        exchange.lossPerDocument, lengths: exchange.promptLengths, cell: cell.id, settings: settings, seed: cell.seed),
      timings: ["forward": forwardSeconds, "total": Date().timeIntervalSince(began)],
      reference: try Comparison.reference(states, reported, cell, bench, settings: settings) {
        try comparing("bayes-reference", $0)
      },
      plantedLeak: planted, shuffled: attacked.shuffled,
      failures: attacked.failures + inferred.failures, inference: inferred.results, warnings: attacked.warnings)
  }

  private struct Attacked {
    var scored: [Scoring.Scored] = []
    var shuffled: [ShuffledControl] = []
    var failures: [AttackFailure] = []
    var warnings: [String] = []
  }

  /// Every attack of the plan and every control on one view. One that fails is noted, and the others go on; only an interruption stops the cell.
  private func attack(
    _ planned: [AttackPlan], _ cell: PlanCell, _ bench: Workbench, _ scoring: Scoring, _ messages: [Int], _ path: String,
    _ means: AttackerMeans, _ material: PublicMaterial, _ tell: (String, Double) throws -> Void
  ) throws -> Attacked {
    var out = Attacked()
    let count = bench.corpus.documents.count
    let attacks = try planned.map { ($0.label, $0.chosen(of: count, seed: cell.seed), try AttackRoster.make($0)) }
    for (k, (label, chosen, attack)) in attacks.enumerated() {
      let start = Date()
      do {
        let reads = attack.reads(of: cell.plan.threatModel.channels)
        let channel = reads.first
        let whole = try ViewFile.read(path, channels: reads)
        let view = try chosen.map(whole.restricted) ?? whole
        let found = try attack.reconstruct(view, with: means, material) { part in
          try tell(label, (Double(k) + part) / Double(attacks.count))
        }
        let entry = Scoring.Scored(
          attack: label, isBaseline: attack.description.isBaseline, channel: channel,
          documents: try scoring.paired(
            chosen == nil ? bench.corpus.ofFirstSends(found.reconstruction) : found.reconstruction, of: chosen, messages: messages),
          // An inverter from the store was trained once: its training is part of what the attack costs.
          seconds: max(Date().timeIntervalSince(start), found.reconstruction.cost.seconds),
          candidateForwards: found.reconstruction.cost.candidateForwards > 0 ? found.reconstruction.cost.candidateForwards : nil,
          chosen: chosen)
        out.scored.append(entry)
        out.warnings += found.warnings
      } catch let fault as Fault where fault.code != .interrupted {
        out.failures.append(AttackFailure(cell: cell.id, attack: label, message: fault.description))
      }
    }
    if out.scored.contains(where: { $0.attack.hasPrefix(ShuffledLabels.name) }) {
      let unigram = try UnigramGuess([:]).reconstruct(ViewFile.read(path, channels: []), with: bench.means) { _ in }
      out.shuffled = ShuffledLabels.controls(
        out.scored, unigram: try scoring.paired(bench.corpus.ofFirstSends(unigram)), cell: cell.id, seed: scoring.seed)
    }
    return out
  }

  // MARK: - The record

  private func assemble(
    _ cells: [CellFile], _ loaded: LoadedModel, _ benches: [Int: Workbench], runID: String, created: String, complete: Bool,
    seconds: Double,
    loadSeconds: Double, invocation: [String]?
  ) throws -> AuditRecord {
    let bench = benches.min { $0.key < $1.key }!.value
    let cuts = Set(try plan.cells().map(\.partition.input)).sorted()
    var margins: [MarginHistogram] = []
    if complete {
      for cut in cuts {
        try report(Progress(cell: cells.count, cells: cells.count, stage: "margins at p = \(cut)", fraction: 1, reused: 0))
        let rms = try bench.statistics(inputBlocks: cut).rootMeanSquare
        margins.append(try MarginMeasurement.histogram(bench.corpus.documents, inputBlocks: cut, rms: rms, bench.means))
      }
    }
    var timings = ["load": loadSeconds, "run": seconds, "cells": cells.reduce(0) { $0 + ($1.timings["total"] ?? 0) }]
    timings["forward"] = cells.reduce(0) { $0 + ($1.timings["forward"] ?? 0) }
    let descriptions =
      AttackRoster.descriptions.filter { known in StandingControls.completed(plan.attacks).contains { $0.name == known.name } }
      + InferenceCatalog.descriptions.filter { known in plan.inference.contains { $0.name == known.name } }
    let (results, failures) = (cells.flatMap(\.results), cells.flatMap(\.failures))
    var record = AuditRecord(
      runID: runID, complete: complete, eligible: false, created: created, plan: plan.resolved, planSHA256: plan.sha256,
      versions: Compute.libraryVersions.merging(["fedsea-audit": Version.current]) { $1 }, commit: Provenance.commit(root: store.root),
      host: Provenance.host(compute), checkpoint: loaded.description, dataset: bench.corpus.description, threatModel: plan.threatModel,
      defense: plan.defense.resolved, results: results, utility: cells.flatMap(\.utility), margins: margins,
      timings: timings,
      warnings: Self.distinct(benches.values.flatMap(\.corpus.warnings)) + Self.located(cells), coverage: Coverage.of(plan),
      invocation: invocation, attacks: descriptions,
      references: cells.contains { $0.reference != nil } ? cells.compactMap(\.reference) : nil,
      controls: Controls(
        plantedLeaks: cells.compactMap(\.plantedLeak), shuffled: cells.flatMap(\.shuffled),
        internalChannels: ChannelFindings.checks(results), missing: StandingControls.missing(failures)),
      failures: failures, inference: plan.inference.isEmpty ? nil : cells.flatMap(\.inference))
    record.channels = ChannelFindings.of(plan, results, failures, inference: cells.flatMap(\.inference))
    return record
  }

  /// The texts without repetitions, in their first order.
  private static func distinct(_ texts: [String]) -> [String] {
    var seen: Set<String> = []
    return texts.filter { seen.insert($0).inserted }
  }

  /// Every warning of a cell once, with the cells that it is of where it is not of all.
  private static func located(_ cells: [CellFile]) -> [String] {
    distinct(cells.flatMap(\.warnings)).map { text in
      let places = cells.filter { $0.warnings.contains(text) }.map(\.cell)
      if places.count == cells.count { return text }
      let named = places.prefix(3).joined(separator: ", ")
      return "\(text) (\(named)\(places.count > 3 ? " and \(places.count - 3) more cells" : ""))"
    }
  }

  static func makeFolder(_ url: URL) throws {
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      throw Fault(
        .cannotCreate, "the folder cannot be made: \(error.localizedDescription)", at: url.path, hint: "choose another with --output")
    }
  }
}
