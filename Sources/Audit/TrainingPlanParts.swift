import Diagnostics
import Llama
package import SplitLearning

/// Clipping and noise on ∂L/∂h_B: FedSEA's gradient option, a knob of its own beside the noise on h_A.
package struct GradientDefensePlan: Sendable, Hashable {
  /// Bound on the Euclidean norm of one text's whole gradient [T, C].
  package var clip: Double
  /// Standard deviation of the noise on every coordinate; 0 clips only.
  package var sigma: Double
  /// Of the (ε, δ) statement.
  package var delta: Double

  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: ["clip", "sigma", "mean_abs", "delta"])
    clip = try map.required("clip", hint: "noise on an unbounded gradient promises nothing").number(in: 1e-12...1e12)
    guard !(map.has("sigma") && map.has("mean_abs")) else { throw value.fault("give the noise as sigma or as mean_abs, not both") }
    // mean|ε| of a Gaussian is σ·√(2/π).
    let fromMean = try map.optional("mean_abs")?.number(in: 0...1e12) ?? 0
    sigma = try map.optional("sigma")?.number(in: 0...1e12) ?? fromMean * (Double.pi / 2).squareRoot()
    delta = try map.optional("delta")?.number(in: 1e-30...0.5) ?? 1e-5
  }
}

/// What of a training run goes into view.h5.
package struct RecordPlan: Sendable, Hashable {
  /// Gradients of what the server trains, one row an update (O9); what clients hand over to be averaged (O11).
  package static let serverGradients = "gradients/adapters"
  package static let rounds = "rounds/adapters"

  /// Paths in the file.
  package var channels: Set<String>
  /// Only this many steps; nil for all.
  package var steps: Int?

  /// The channels with one row a token.
  package var views: [Channel] { Self.recordable.filter { channels.contains($0.rawValue) } }
  /// What a training server is handed or hands out; its own tensors are recorded by audits.
  package static let recordable: [Channel] = [.inputHiddenStates, .outputHiddenStates, .outputGradients, .inputGradients]

  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: ["channels", "steps"])
    let known = Self.recordable.map(\.rawValue) + [Self.serverGradients, Self.rounds]
    channels = Set(try map.required("channels").list("channels").map { try $0.name("channel", among: known) })
    steps = try map.optional("steps")?.integer(in: 1...10_000_000)
  }
}

/// The partition from a step on.
package struct RepartitionPlan: Sendable, Hashable {
  /// Number of the first step under the new partition, from 1.
  package var step: Int
  package var partition: PartitionPoints

  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: ["step", "input", "output"])
    step = try map.required("step").integer(in: 2...10_000_000)
    partition = PartitionPoints(
      input: try map.required("input").integer(in: 0...10_000), output: try map.required("output").integer(in: 0...10_000))
  }
}

extension TrainingPlan.FederationPlan {
  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: ["mode", "clients", "local_steps", "alpha", "partitions"])
    self.init()
    mode = try map.optional("mode")?.name("mode", among: Self.modes) ?? mode
    clients = try map.required("clients").integer(in: 1...64)
    localSteps = try map.optional("local_steps")?.integer(in: 1...1_000_000) ?? localSteps
    alpha = try map.optional("alpha")?.number(in: 1e-3...1e6)
    partitions = try map.optional("partitions")?.list("partition points").map { item in
      let map = try PlanMap(item.node, path: item.path, keys: ["input", "output"])
      return PartitionPoints(
        input: try map.required("input").integer(in: 0...10_000), output: try map.required("output").integer(in: 0...10_000))
    }
    if let partitions, partitions.count != clients {
      throw value.fault("\(partitions.count) partition points for \(clients) clients", hint: "give one pair a client, or none")
    }
  }
}

extension AdapterSettings {
  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: ["rank", "alpha", "targets", "dropout"])
    self.init()
    rank = try map.optional("rank")?.integer(in: 1...1024) ?? rank
    alpha = Float(try map.optional("alpha")?.number(in: 1e-3...1e4) ?? Double(2 * rank))
    dropout = Float(try map.optional("dropout")?.number(in: 0...0.99) ?? 0)
    let names = AdapterTarget.allCases.map(\.rawValue)
    if let list = map.optional("targets") {
      targets = try list.list("matrices").compactMap { AdapterTarget(rawValue: try $0.name("matrix", among: names)) }
    }
  }
}
