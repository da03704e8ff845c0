import ArgumentParser
import Audit
import AuditRunner
import Checkpoints
import Diagnostics
import Fetching
import Foundation
import LeakageMetrics
import PrivateText
import Reports
import Tokenizers

/// `score VIEW GUESSES TRUTH`: the only command that opens both guesses and truth.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "score", abstract: "Scores guesses against the truth.")

  @Argument(help: "view.h5", completion: .file(extensions: ["h5"])) var view: String
  @Argument(help: "guesses.h5", completion: .file(extensions: ["h5"])) var guesses: String
  @Argument(help: "truth.h5", completion: .file(extensions: ["h5"])) var truth: String

  @Option(help: "The checkpoint whose tokenizer turns guesses into text.")
  var checkpoint = "smollm2-135m-instruct"

  @Option(
    help: "Guesses of a control on the same view, guesses-unigram.h5 for example: gains are above it.",
    completion: .file(extensions: ["h5"]))
  var baseline: String?

  @Option(help: "Seed of the bootstrap.")
  var seed: UInt64 = 1

  @Option var format: OutputFormat = .text
  @OptionGroup var workspace: WorkspaceOptions

  func run() throws {
    let seen = try ViewFile.read(view)
    let opened = try Checkpoint.open(at: LoadedModel.path(checkpoint, in: workspace.store))
    let (tokenizer, vocabulary) = (try TokenizerLoader.load(from: opened), opened.configuration.vocabularySize)
    guard tokenizer.sha256 == seen.identity.tokenizerSHA256 else {
      throw Fault(
        .invalidData, "the view was recorded with another tokenizer than that of \(checkpoint)", at: view,
        hint: "name its checkpoint with --checkpoint")
    }
    let digest = try FileDigest.file(URL(filePath: view))
    func read(_ path: String) throws -> GuessesFile {
      do {
        return try GuessesFile.read(path).validated(
          runID: seen.identity.runID, offsets: seen.offsets, vocabulary: vocabulary, viewSHA256: digest)
      } catch let fault as Fault { throw fault.located(at: path) }
    }
    let (guessed, control) = (try read(guesses), try baseline.map(read))
    let secret = try TruthFile.read(truth)
    guard secret.runID == seen.identity.runID else {
      throw Fault(.invalidData, "the truth belongs to run \(secret.runID), the view to \(seen.identity.runID)", at: truth)
    }
    if let id = secret.documents.lazy.flatMap(\.tokens).first(where: { $0 < 0 || $0 >= vocabulary }) {
      throw Fault(.invalidData, "the truth has token \(id), the model \(vocabulary) tokens", at: truth)
    }
    // bits_per_token needs the model's own probabilities: `run` reports it, this command does not load weights.
    let metrics = MetricCatalog.all.filter { $0.descriptor.name != "bits_per_token" }
    let scoring = Scoring(secret.documents, priors: nil, metrics: metrics, tokenizer: tokenizer, seed: seed, vocabularySize: vocabulary)
    func entry(_ file: GuessesFile, isBaseline: Bool) throws -> Scoring.Scored {
      Scoring.Scored(
        attack: file.attack, isBaseline: isBaseline, channel: .inputHiddenStates,
        documents: try scoring.paired(file.reconstruction, messages: seen.messages), seconds: file.reconstruction.cost.seconds)
    }
    let entries = [try entry(guessed, isBaseline: false)] + (try control.map { [try entry($0, isBaseline: true)] } ?? [])
    let results = scoring.results(entries, cell: "view", settings: [:]).filter { $0.attack == guessed.attack }
    if format == .json { return try Output.json(results) }
    var columns: [TerminalTable.Column] = [.init("metric"), .init("mean", .right), .init("95 % interval", .right), .init("n", .right)]
    if let control { columns.append(.init("above \(control.attack)", .right)) }
    var table = TerminalTable(columns)
    for result in results {
      let own = [result.metric, Self.text(result.mean), "[\(result.ci95.map(Self.text).joined(separator: ", "))]", "\(result.n)"]
      table.append(.init(own + (control == nil ? [] : [result.gainOverBaseline.map(Self.text) ?? ""])))
    }
    try Output.write(table.render(width: Terminal.width, color: false) + "\n")
  }

  private static func text(_ value: Double) -> String {
    value.formatted(.number.precision(.significantDigits(1...4)).locale(Locale(identifier: "en_US_POSIX")))
  }
}
