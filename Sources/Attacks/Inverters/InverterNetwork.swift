import Foundation
import Kernels
import Llama

/// An inverter's trained part: from states in the coordinates of an `InverterSpace` to scores over tokens.
///
///     z_i = M_i x + c_i + body(x)          score(v) = Σ_i g_i(x) (z_i · ã_v + b_iv)
///
/// One expert and no gate is the plain inverter. The codebook ã [V, d] is frozen: what would be a d → V layer is d → d followed by the
/// public codebook, so a token that the training text lacks is read as well as one that it has.
struct InverterNetwork: TrainedLayer {
  var experts: [Expert]
  var gate: InverterGate?
  var body: InverterBody?

  /// One linear reading.
  struct Expert: TrainedLayer {
    /// M and c.
    var adapter: DenseLayer
    /// b [1, V].
    var tokenBias: TrainedTensor

    mutating func visit(_ prefix: String, _ visitor: (String, inout TrainedTensor) throws -> Void) rethrows {
      try adapter.visit(prefix + ".adapter", visitor)
      try visitor(prefix + ".token_bias", &tokenBias)
    }
  }

  /// Whose reading counts.
  enum Mode: Sendable, Hashable {
    case expert(Int)
    case gated

    /// For files: `gated` or the expert's number.
    var text: String {
      switch self {
      case .expert(let i): "\(i)"
      case .gated: "gated"
      }
    }

    /// Nil unless it is the text of a mode of a network of so many experts.
    init?(text: String, experts: Int) {
      if text == "gated", experts > 1 {
        self = .gated
      } else if let i = Int(text), (0..<experts).contains(i) {
        self = .expert(i)
      } else {
        return nil
      }
    }
  }

  /// Every way to read: by the gate, if there is one, and by each expert alone.
  var modes: [Mode] { (gate == nil ? [] : [.gated]) + experts.indices.map(Mode.expert) }

  mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    for i in experts.indices { try experts[i].visit(prefix + "expert\(i)", body) }
    if var part = gate {
      gate = nil
      try part.visit(prefix + "gate", body)
      gate = part
    }
    if var part = self.body {
      self.body = nil
      try part.visit(prefix + "body", body)
      self.body = part
    }
  }

  // MARK: - Forward

  /// The codebook reading z = Σ g_i z_i [N, d] and the gate g [N, E].
  struct Reading {
    var z: Matrix
    var gates: Matrix
    fileprivate var parts: [Matrix]
    fileprivate var gate: InverterGate.Tape?
    fileprivate var body: InverterBody.Tape?
  }

  func read(_ x: Matrix, _ batch: PackedBatch, _ mode: Mode, _ compute: Compute) -> Reading {
    let added = body?.forward(x, batch, compute)
    let parts = experts.indices.map { i -> Matrix in
      if case .expert(let only) = mode, only != i { return Matrix(rows: 0, columns: x.columns) }
      var z = experts[i].adapter.forward(x, compute)
      if let added { compute.add(&z, added.output) }
      return z
    }
    if case .gated = mode, let gate {
      let (gates, tape) = gate.forward(x, compute)
      var z = Matrix(rows: x.rows, columns: x.columns)
      for (i, part) in parts.enumerated() { compute.add(&z, weighted(part, gates, i)) }
      return Reading(z: z, gates: gates, parts: parts, gate: tape, body: added?.tape)
    }
    let only = if case .expert(let i) = mode { i } else { 0 }
    var gates = Matrix(rows: x.rows, columns: experts.count)
    for r in 0..<x.rows { gates[r, only] = 1 }
    return Reading(z: parts[only], gates: gates, parts: parts, gate: nil, body: added?.tape)
  }

  /// Gradients of all tensors, given those of z [N, d] and g [N, E].
  mutating func backward(_ dz: Matrix, gates dg: Matrix, _ reading: Reading, input x: Matrix, _ compute: Compute) {
    if reading.gate != nil {
      var dGates = dg
      for i in experts.indices {
        for r in 0..<dz.rows {
          var total: Float = 0
          for (a, b) in zip(dz[row: r], reading.parts[i][row: r]) { total += a * b }
          dGates[r, i] += total
        }
        _ = experts[i].adapter.backward(weighted(dz, reading.gates, i), input: x, compute)
      }
      gate?.backward(dGates, reading.gate!, compute)
    } else {
      for i in experts.indices where reading.parts[i].rows == dz.rows {
        _ = experts[i].adapter.backward(dz, input: x, compute)
      }
    }
    if let tape = reading.body { body?.backward(dz, tape, compute) }
  }

  /// Adds the gradient of the gate's mean −ln g on `rows`, each with the factor of its noise; the right expert is that of the nearest of
  /// `levels`. Returns the loss in nats.
  mutating func teachGate(_ x: Matrix, _ rows: [(row: Int, level: Double)], _ levels: [Double], _ compute: Compute) -> Double {
    guard var gate else { preconditionFailure("a network without a gate") }
    let (gates, tape) = gate.forward(x, compute)
    var dGates = Matrix(rows: gates.rows, columns: gates.columns)
    var loss = 0.0
    for (row, level) in rows {
      let right = levels.indices.min { abs(levels[$0] - level) < abs(levels[$1] - level) }!
      let g = max(gates[row, right], 1e-6)
      loss -= log(Double(g)) / Double(rows.count)
      dGates[row, right] = -1 / (g * Float(rows.count))
    }
    gate.backward(dGates, tape, compute)
    self.gate = gate
    return loss
  }

  private func weighted(_ part: Matrix, _ gates: Matrix, _ expert: Int) -> Matrix {
    var out = part
    for r in 0..<part.rows {
      let g = gates[r, expert]
      for c in 0..<part.columns { out.values[r * part.columns + c] *= g }
    }
    return out
  }

  /// Biases of the experts over `tokens`, [E, K]; over the whole vocabulary for nil.
  func biases(_ tokens: [Int]?) -> Matrix {
    let vocabulary = experts[0].tokenBias.value.columns
    guard let tokens else {
      return Matrix(rows: experts.count, columns: vocabulary, values: experts.flatMap { $0.tokenBias.value.values })
    }
    return Matrix(
      rows: experts.count, columns: tokens.count,
      values: experts.flatMap { expert in tokens.map { expert.tokenBias.value.values[$0] } })
  }
}
