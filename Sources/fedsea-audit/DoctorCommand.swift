import Audit
import ArgumentParser
import AuditRunner
import Diagnostics
import Fetching
import Foundation
import Kernels

/// `doctor`: what this machine runs with, and whether it computes correctly.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Shows the machine, the engines and the fetched artifacts, and checks the engines.")

  @Option var format: OutputFormat = .text
  @OptionGroup var workspace: WorkspaceOptions

  private struct Finding: Encodable {
    var host: HostLine
    var libraries: [String: String]
    var engines: [Engine]
    var checkpoints: [String: Bool]
    struct HostLine: Encodable { var cpu: String, threads: Int, instructionSet: String, nativeBF16: Bool }
    struct Engine: Encodable { var library: String, gigaflopsPerSecond: Double, largestError: Double }
  }

  func run() throws {
    let compute = workspace.compute
    let host = Provenance.host(compute)
    let engines = Compute.Library.allCases.map { Self.measure(Compute(library: $0, threads: compute.threads)) }
    let artifacts = try workspace.store.list()
    let finding = Finding(
      host: .init(cpu: host.cpu, threads: compute.threads, instructionSet: Compute.instructionSet, nativeBF16: Compute.hasBF16Products),
      libraries: Compute.libraryVersions, engines: engines,
      checkpoints: Dictionary(
        uniqueKeysWithValues: artifacts.map { ("\($0.kind.rawValue) \($0.name)", (try? workspace.store.path(of: $0)) != nil) }))
    if format == .json { return try Output.json(finding) }
    try Output.write(
      "cpu            \(host.cpu), \(compute.threads) threads, \(finding.host.instructionSet), native bf16: \(finding.host.nativeBF16 ? "yes" : "no, widened to f32")\n"
    )
    for (name, version) in finding.libraries.sorted(by: { $0.key < $1.key }) { try Output.write("library        \(name) \(version)\n") }
    for engine in engines {
      try Output.write(
        "engine         \(engine.library): \(engine.gigaflopsPerSecond.rounded()) GFLOP/s at [512, 576] x [1536, 576], largest error \(engine.largestError)\n"
      )
    }
    for (name, there) in finding.checkpoints.sorted(by: { $0.key < $1.key }) {
      try Output.write("artifact       \(name): \(there ? "fetched" : "not fetched (fedsea-audit fetch \(name))")\n")
    }
    if let wrong = engines.first(where: { !($0.largestError < 1e-3) }) {
      throw Fault(.internalError, "\(wrong.library) computes wrong products")
    }
  }

  /// Speed of one product, and its largest difference from double precision over a sample of its values.
  private static func measure(_ compute: Compute) -> Finding.Engine {
    let (m, n, k) = (512, 1536, 576)
    let random = CounterRandom(seed: 1, stream: "doctor")
    let x = Matrix(rows: m, columns: k, values: random.normals(item: 0, count: m * k).map(Float.init))
    let w = random.normals(item: 1, count: n * k).map(Float.init)
    var y = compute.linear(x, w, outputs: n)
    var best = Double.infinity
    for _ in 0..<10 {
      let start = Date()
      y = compute.linear(x, w, outputs: n)
      best = min(best, Date().timeIntervalSince(start))
    }
    let error =
      stride(from: 0, to: m * n, by: 997).map { i in
        let exact = (0..<k).reduce(0.0) { $0 + Double(x[i / n, $1]) * Double(w[i % n * k + $1]) }
        return abs(exact - Double(y.values[i])) / Double(k).squareRoot()
      }.max() ?? .infinity
    return .init(library: "\(compute.library)", gigaflopsPerSecond: 2 * Double(m * n * k) / best / 1e9, largestError: error)
  }
}
