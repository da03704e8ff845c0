import Foundation
import Llama
import Kernels

/// What training minimises, and its gradient.
struct InverterLoss {
  enum Target: String, Sendable, Hashable {
    /// Mean −ln p(token) in nats; the score is shifted by the prior of the kind of text (Menon et al. 2021), so that random text teaches
    /// the likelihood and not that all tokens are equally frequent.
    case crossEntropy
    /// Mean ‖z − ã‖² / d.
    case squaredError
    /// Mean −ln g_i in nats, i the expert whose noise is nearest to the document's: what a gate starts from.
    case noiseLevel
  }

  let space: InverterSpace
  let data: InverterData
  let candidates: InverterCandidates
  let compute: Compute

  /// Adds the gradients of one batch to `network`; returns the loss.
  func step(_ network: inout InverterNetwork, _ examples: InverterData.Examples, _ stage: InverterRecipe.Stage, step: Int) -> Double {
    let x = space.read(examples.states, compute)
    if stage.target == .noiseLevel {
      return network.teachGate(x, examples.counted.map { ($0, examples.levels[$0]) }, stage.levels, compute)
    }
    let reading = network.read(x, examples.batch, stage.mode, compute)
    let rows = examples.counted
    let z = compute.gather(reading.z, rows: rows[...])
    let labels = rows.map { examples.labels[$0] }
    var dz = Matrix(rows: x.rows, columns: x.columns)
    var dGates = Matrix(rows: x.rows, columns: network.experts.count)
    let loss: Double
    switch stage.target {
    case .noiseLevel: preconditionFailure("handled above")
    case .squaredError:
      var d = z
      let scale = 1 / Float(rows.count * x.columns)
      var total = 0.0
      for (i, label) in labels.enumerated() {
        for c in 0..<z.columns {
          let difference = z[i, c] - space.codebook[Int(label), c]
          total += Double(difference * difference)
          d[i, c] = 2 * scale * difference
        }
      }
      loss = total * Double(scale)
      compute.scatter(d, into: &dz, rows: rows[...])
    case .crossEntropy:
      let (ids, corrections) = candidates.tokens(for: labels, step: step)
      let place = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, Int32($0)) })
      let book = compute.gather(space.codebook, rows: ids[...])
      let gates = compute.gather(reading.gates, rows: rows[...])
      let biases = network.biases(ids)
      var scores = compute.product(z, book, transposeB: true)
      compute.product(gates, biases, beta: 1, into: &scores)
      var kinds = Matrix(rows: rows.count, columns: data.priors.rows)
      for (i, row) in rows.enumerated() { kinds[i, examples.kinds[row]] = 1 }
      compute.product(kinds, offsets(ids, corrections), beta: 1, into: &scores)
      let nats = compute.crossEntropy(&scores, labels: labels.map { place[Int($0)]! }, scale: 1 / Float(rows.count))
      loss = nats.reduce(0) { $0 + Double($1) } / Double(rows.count)
      compute.scatter(compute.product(scores, book), into: &dz, rows: rows[...])
      compute.scatter(compute.product(scores, biases, transposeB: true), into: &dGates, rows: rows[...])
      let dBiases = compute.product(gates, scores, transposeA: true)
      for e in network.experts.indices {
        for (k, token) in ids.enumerated() { network.experts[e].tokenBias.gradient.values[token] += dBiases[e, k] }
      }
    }
    network.backward(dz, gates: dGates, reading, input: x, compute)
    return loss
  }

  /// Prior of each kind plus the corrections of the sample, [3, K].
  private func offsets(_ ids: [Int], _ corrections: [Float]) -> Matrix {
    Matrix(
      rows: data.priors.rows, columns: ids.count,
      values: (0..<data.priors.rows).flatMap { kind in zip(ids, corrections).map { data.priors[kind, $0] + $1 } })
  }

  /// Over the whole vocabulary, on at most `limit` counted rows, evenly spread: mean −ln p in nats at `temperature`, and the share of rows whose
  /// token has the highest score.
  func evaluate(
    _ network: InverterNetwork, _ examples: InverterData.Examples, _ mode: InverterNetwork.Mode, temperatures: [Float] = [1],
    limit: Int = 768
  ) -> [(nats: Double, accuracy: Double)] {
    let reading = network.read(space.read(examples.states, compute), examples.batch, mode, compute)
    let every = max(1, examples.counted.count / limit)
    let rows = stride(from: 0, to: examples.counted.count, by: every).map { examples.counted[$0] }
    var (nats, hits) = (temperatures.map { _ in 0.0 }, temperatures.map { _ in 0 })
    for start in stride(from: 0, to: rows.count, by: 256) {
      let part = Array(rows[start..<min(start + 256, rows.count)])
      let evidence = Self.evidence(
        compute.gather(reading.z, rows: part[...]), compute.gather(reading.gates, rows: part[...]), network, space, compute)
      for (t, temperature) in temperatures.enumerated() {
        var scores = evidence
        if temperature != 1 { scores.values = scores.values.map { $0 / temperature } }
        compute.addBias(&scores, Array(data.priors[row: InverterData.Kind.text.rawValue]))
        let normalisers = compute.logSumExp(scores)
        for (i, row) in part.enumerated() {
          let label = Int(examples.labels[row])
          nats[t] += Double(normalisers[i] - scores[i, label])
          if argmax(scores[row: i]) == Int32(label) { hits[t] += 1 }
        }
      }
    }
    let n = Double(max(1, rows.count))
    return zip(nats, hits).map { ($0 / n, Double($1) / n) }
  }

  /// Scores of all tokens without prior, [B, V], of readings z [B, d] and gates [B, E].
  static func evidence(_ z: Matrix, _ gates: Matrix, _ network: InverterNetwork, _ space: InverterSpace, _ compute: Compute) -> Matrix {
    var scores = compute.linear(z, space.codebook.values, outputs: space.codebook.rows)
    compute.product(gates, network.biases(nil), beta: 1, into: &scores)
    return scores
  }
}
