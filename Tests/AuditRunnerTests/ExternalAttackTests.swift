import Audit
import AuditRunner
import Checkpoints
import Diagnostics
import Foundation
import LeakageMetrics
import Llama
import PrivateText
import TestSupport
import Testing

/// Programs that do what they should, and programs that do not.
@Suite(.serialized) struct ExternalAttackTests {
  private let scene: TinyScene
  private let scratch: Scratch

  init() throws { (scene, scratch) = (try TinyScene(), try Scratch()) }

  private func run(
    _ command: [String], limit: Double = 60, material: PublicMaterial? = nil, tick: () throws -> Void = {}
  ) throws -> ExternalAttack.Answer {
    let settings: [String: SettingValue] = ["command": .list(command.map { .string($0) }), "time_limit": .number(limit)]
    return try ExternalAttack(settings).reconstruct(scene.view(1), with: scene.means, material ?? scene.material, tick: tick)
  }

  private func shell(_ script: String, limit: Double = 60, material: PublicMaterial? = nil) throws -> ExternalAttack.Answer {
    try run(["sh", "-c", script], limit: limit, material: material)
  }

  private func fault(_ body: () throws -> ExternalAttack.Answer) -> Fault? {
    do {
      _ = try body()
      return nil
    } catch { return error as? Fault }
  }

  /// A program that copies prepared guesses: every check of guesses.h5 without Python.
  private func answering(_ guesses: GuessesFile) throws -> [String] {
    let path = scratch.file("\(UUID().uuidString).h5")
    try guesses.write(to: path)
    return ["cp", path, "guesses.h5"]
  }

  private func guesses(
    run: String = "tiny", offsets: [Int]? = nil, tokens: [[Int32]]? = nil, posterior: TokenPosterior? = nil
  ) -> GuessesFile {
    GuessesFile(
      runID: run, attack: "x", offsets: offsets ?? scene.offsets,
      reconstruction: Reconstruction(tokens: tokens ?? scene.documents.map(\.tokens), posterior: posterior))
  }

  @Test func aRightAnswerIsTaken() throws {
    let answer = try run(try answering(guesses()))
    #expect(answer.reconstruction.tokens == scene.documents.map(\.tokens))
    #expect(answer.reconstruction.cost.seconds > 0)
  }

  /// What the program finds: its folder, what is in it, and nothing of this process' environment.
  @Test func theFolderHoldsTheViewAndPublicMaterialOnly() throws {
    setenv("FEDSEA_TEST_SECRET", "1", 1)
    defer { unsetenv("FEDSEA_TEST_SECRET") }
    let listing = fault { try shell("ls | sort | tr '\\n' ' '; exit 9") }
    #expect(
      listing?.hint?.contains("auxiliary_offsets.npy auxiliary_tokens.npy embeddings.npy log.txt task.json view.h5") == true,
      "\(listing?.hint ?? "")")
    let variables = fault { try shell("env | cut -d= -f1 | grep -v '^PWD$\\|^OLDPWD$\\|^_$\\|^SHLVL$' | sort | tr '\\n' ' '; exit 9") }
    #expect(variables?.hint?.hasSuffix("FEDSEA_TASK HOME LANG OMP_NUM_THREADS PATH TMPDIR ") == true, "\(variables?.hint ?? "")")
    let home = fault { try shell("test \"$HOME\" = \"$PWD\" && test -r \"$FEDSEA_TASK\" && exit 11; exit 12") }
    #expect(home?.message == "the program ended with status 11")
    let task = fault { try shell("tr -d '\\n ' < task.json; exit 9") }
    let text = task?.hint ?? ""
    #expect(text.contains("\"auxiliary\":{\"offsets\":\"auxiliary_offsets.npy\""), "\(text)")
    #expect(!text.contains("w1") && !text.contains("truth"))
  }

  /// The folder and every process of the group are gone afterwards, whatever happened.
  @Test func hangingProgramsAndTheirChildrenEnd() throws {
    let start = Date()
    let marker = scratch.file("marker")
    let hanging = fault { try shell("(sleep 4; touch \(marker)) & sleep 600", limit: 1) }
    #expect(hanging?.code == .invalidData && hanging?.message.contains("longer than 1 s") == true)
    #expect(Date().timeIntervalSince(start) < 30)
    let leaving = fault { try shell("(sleep 4; touch \(marker)) & exit 0") }
    #expect(leaving?.message == "the program wrote no guesses.h5")
    Thread.sleep(forTimeInterval: 6)
    #expect(!FileManager.default.fileExists(atPath: marker), "a child outlived its program")
    let left = try FileManager.default.contentsOfDirectory(atPath: NSTemporaryDirectory()).filter { $0.hasPrefix("fedsea-isolation-") }
    #expect(left.isEmpty)
  }

  /// What a program puts in the place of its log is not opened: no pipe that nobody writes to, no device, no file of the user's.
  @Test func theLogCannotBeReplaced() throws {
    let secret = scratch.file("secret.txt")
    try "the private line".write(toFile: secret, atomically: true, encoding: .utf8)
    for place in ["mkfifo log.txt", "ln -s /dev/zero log.txt", "ln -s \(secret) log.txt"] {
      let start = Date()
      let fault = fault { try shell("echo said before; rm log.txt; \(place); exit 3", limit: 20) }
      #expect(fault?.hint == "its last line: said before", "\(place): \(fault?.hint ?? "")")
      #expect(Date().timeIntervalSince(start) < 15)
    }
  }

  @Test func whatEndsBadlyIsAFault() throws {
    let three = fault { try shell("echo no luck >&2; exit 3") }
    #expect(three?.message == "the program ended with status 3" && three?.hint == "its last line: no luck")
    #expect(fault { try shell("kill -SEGV $$") }?.code == .invalidData)
    #expect(fault { try shell("echo garbage > guesses.h5") }?.message.contains("not an HDF5 file") == true)
    #expect(fault { try shell("mkfifo guesses.h5") }?.message == "guesses.h5 is not a regular file")
    #expect(fault { try shell("ln -s view.h5 guesses.h5") }?.message == "guesses.h5 is not a regular file")
    #expect(fault { try shell("cp view.h5 guesses.h5") }?.message.contains("expected a \"fedsea-guesses\"") == true)
    #expect(fault { try shell("yes") }?.message.contains("printed more than") == true)
    #expect(fault { try shell("rm log.txt; yes") }?.message.contains("printed more than") == true)
    #expect(fault { try run(["no-such-program-here"]) }?.code == .unavailable)
    #expect(throws: Fault.self) { try ExternalAttack([:]) }
  }

  @Test func answersThatDoNotFitAreFaults() throws {
    let truth = scene.documents.map(\.tokens)
    let short = Array(truth.dropLast())
    let shortOffsets = Array(scene.offsets.dropLast())
    let count = scene.offsets.last ?? 0
    func posterior(_ log: Float, rest: Float) -> TokenPosterior {
      TokenPosterior(
        width: 1, ids: truth.flatMap { $0 }, logProbabilities: .init(repeating: log, count: count),
        restLogProbability: .init(repeating: rest, count: count))
    }
    let cases: [(GuessesFile, String)] = [
      (guesses(run: "other"), "about run other"), (guesses(offsets: shortOffsets, tokens: short), "/samples/offsets"),
      (guesses(tokens: truth.map { $0.map { _ in 1 << 20 } }), "outside of a vocabulary"),
      (guesses(posterior: posterior(.nan, rest: -1)), "add up to nan"),
      (guesses(posterior: posterior(.infinity, rest: -1)), "add up to inf"),
      (guesses(posterior: posterior(0, rest: 0)), "add up to 2"),
    ]
    for (file, message) in cases {
      let found = fault { try run(try answering(file)) }
      #expect(found?.code == .invalidData && found?.message.contains(message) == true, "\(message): \(found?.description ?? "accepted")")
      #expect(found?.description.contains(NSTemporaryDirectory() + "fedsea-attack") != true)
    }
  }

  /// The run's folder and the user's text are out of sight where the system has namespaces; where it has not, the answer says so.
  @Test func theTruthIsHidden() throws {
    try TruthFile(runID: "tiny", documents: scene.documents).write(to: scratch.file("truth.h5"))
    let own = try Scratch()
    try Data("my text\n".utf8).write(to: URL(filePath: own.file("own.txt")))
    var material = scene.material
    material.hidden = [scratch.path, own.file("own.txt")]
    let answer = own.file("right.h5")
    try guesses().write(to: answer)
    let isolated = try run(["cp", answer, "guesses.h5"], material: material).isIsolated
    guard isolated else { return }
    let look = "grep -q . '\(scratch.file("truth.h5"))' && exit 21; grep -q . '\(own.file("own.txt"))' && exit 22;"
    #expect(fault { try shell("\(look) exit 20", material: material) }?.message == "the program ended with status 20")
    #expect(
      fault { try shell("umount '\(scratch.path)' 2>/dev/null; \(look) exit 20", material: material) }?.message
        == "the program ended with status 20")
    #expect(
      fault { try shell("test -e /proc/\(getpid())/mem && exit 23; exit 20", material: material) }?.message
        == "the program ended with status 20")
    // A child in a session of its own ends with the others.
    let marker = own.file("marker")
    _ = fault { try shell("setsid sh -c 'sleep 3; touch \(marker)' & sleep 0.2; exit 0", material: material) }
    Thread.sleep(forTimeInterval: 5)
    #expect(!FileManager.default.fileExists(atPath: marker))
    // A hidden folder that holds the program stays, without the files that name private text.
    material.hidden = [own.path]
    try Data("cat '\(own.file("own.txt"))' > /dev/null && exit 31; exit 30".utf8).write(to: URL(filePath: own.file("attack.sh")))
    try TruthFile(runID: "tiny", documents: scene.documents).write(to: own.file("truth.h5"))
    try Data("grep -q . '\(own.file("truth.h5"))' && exit 31; exit 30".utf8).write(to: URL(filePath: own.file("attack.sh")))
    #expect(fault { try run(["sh", own.file("attack.sh")], material: material) }?.message == "the program ended with status 30")
  }

  /// The other cells of a sweep or of a run have the same texts, and so has the run itself.
  @Test func whatLiesAroundAViewIsHidden() throws {
    let (dumped, run) = (try Scratch(), try Scratch())
    func write(_ path: String) throws {
      try FileManager.default.createDirectory(
        at: URL(filePath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("secret".utf8).write(to: URL(filePath: path))
    }
    for name in ["a/truth.h5", "b/truth.h5", "b/view.h5", "c/notes.txt"] { try write(dumped.file(name)) }
    for name in ["truth.h5", "samples.jsonl", "report.html", "cells/x/cell.json", "cells/y/cell.json", "scores.csv"] {
      try write(run.file(name))
    }
    let real = { (path: String) in URL(filePath: path).resolvingSymlinksInPath().path }
    let around = Set(PublicMaterial.neighbours(of: dumped.file("a")).map(real))
    #expect(around.contains(real(dumped.file("b"))) && !around.contains(real(dumped.file("c"))))
    let inRun = Set(PublicMaterial.neighbours(of: run.file("cells/x")).map(real))
    for name in ["cells/y", "truth.h5", "samples.jsonl", "report.html"] { #expect(inRun.contains(real(run.file(name))), "\(name)") }
    #expect(!inRun.contains(real(run.file("scores.csv"))))
  }

  @Test func anInterruptionStopsTheProgram() throws {
    let start = Date()
    #expect(throws: Fault(.interrupted, "stop")) {
      try run(["sleep", "600"], tick: { if Date().timeIntervalSince(start) > 0.5 { throw Fault(.interrupted, "stop") } })
    }
    #expect(Date().timeIntervalSince(start) < 30)
  }

  static let python = ProcessInfo.processInfo.environment["FEDSEA_PYTHON"]

  /// The example program, on states that are the embeddings themselves, finds every token, with a posterior that the reader accepts.
  @Test(.enabled(if: python != nil, "set FEDSEA_PYTHON to a Python with numpy and h5py")) func theExampleWorks() throws {
    let program = "\(Fixture.root)/attacks/external/nearest_neighbour.py"
    let attack = try ExternalAttack(["command": .list([.string(Self.python ?? ""), .string(program)])])
    let found = try attack.reconstruct(scene.view(0), with: scene.means, scene.material, tick: {}).reconstruction
    #expect(found.tokens == scene.documents.map(\.tokens))
    #expect(try scene.scoring.paired(found).allSatisfy { $0.truthLogProbability != nil })
  }
}
