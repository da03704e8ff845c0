import Checkpoints
import Diagnostics
import Kernels
package import Llama
package import SplitLearning

/// Eight clients, one step of each: sequential (one server, clients take turns) against server-hierarchical (a copy of the middle adapters a
/// client, averaged after the step). What counts is how many forward and backward passes through B must wait for one another, for copies of B may
/// run on as many machines; here all share this one, so the seconds are no speed-up.
package enum FederationBench {
  package static let clients = 8

  static func run(_ meter: Meter, _ compute: Compute, _ path: String) throws {
    let peer = "fedsea-audit bf16"
    let name = "\(clients) clients x 1x64 tokens, "
    let modes: [(String, Federation.Mode)] = [
      ("sequential", .sequential), ("server-hierarchical", .serverHierarchical(localSteps: 1)),
    ]
    guard modes.contains(where: { meter.isWanted(name + $0.0, peer) }) else { return }
    let model = try LlamaModel(Checkpoint.open(at: path), precision: .bf16, compute: compute)
    for (label, mode) in modes where meter.isWanted(name + label, peer) {
      let federation = try federation(mode, of: model)
      let texts = TrainingBench.texts(model, count: clients, length: 64).map { [$0] }
      let passes = try countPasses(of: federation) { _ = try federation.step(texts, rate: 1e-4) }
      meter.report(name + label + ", sequential server steps", "passes", peer, [Double(passes)])
      try meter.seconds(name + label, peer: peer) { _ = try federation.step(texts, rate: 1e-4) }
    }
  }

  /// A federation of `clients` at p = q = 1.
  package static func federation(_ mode: Federation.Mode, of model: LlamaModel) throws -> Federation {
    let points = Array(repeating: PartitionPoints(input: 1, output: 1), count: clients)
    let blueprint = TrainingBlueprint(model: model, adapters: AdapterSettings(), clip: 1, seed: 1)
    var servers = [blueprint.server(points)]
    if case .serverHierarchical = mode { servers = points.map { blueprint.server([$0]) } }
    let clients = try points.enumerated().map { try blueprint.client($1, of: servers[min($0, servers.count - 1)], number: $0) }
    return Federation(mode, clients: clients, servers: servers, clip: 1)
  }

  /// The longest chain of passes of `step` through B: each server counts the forward passes whose backward pass came, one after another;
  /// different servers do not wait for one another. Counted where they happen, not taken from the federation's own counter.
  package static func countPasses(of federation: Federation, _ step: () throws -> Void) rethrows -> Int {
    final class Count { var passes = 0 }
    let counts = federation.servers.map { _ in Count() }
    for (server, count) in zip(federation.servers, counts) {
      server.observer = { if case .gradients = $0 { count.passes += 1 } }
    }
    defer { for server in federation.servers { server.observer = nil } }
    try step()
    return counts.map(\.passes).max() ?? 0
  }
}
