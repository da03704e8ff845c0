import Llama
package import Audit
import Checkpoints
import Kernels

/// A1: the token whose input embedding is nearest to the observed state. Training-free; needs the public embedding table only.
package struct NearestEmbedding: Attack {
  enum Distance: String, CaseIterable { case cosine, l2 }

  package static let description = MethodDescription(
    name: "nearest-embedding", summary: "the token whose embedding is nearest to the state",
    paper: "HEI / NN, Luo et al. 2025; Song & Raghunathan 2020",
    cost: "one product with the embedding table", knowledge: .k1, channels: [.inputHiddenStates],
    settings: [
      "distance": "cosine (default) or l2", "centered": "1 (default) subtracts the mean state and the mean embedding first, 0 does not",
    ])

  package static let rules: [String: SettingRule] = ["distance": .choice(Distance.allCases.map(\.rawValue)), "centered": .integer(0...1)]

  private let distance: Distance
  private let centered: Bool

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    distance = try reader.choice("distance", default: .cosine)
    centered = try reader.integer("centered", default: 1, in: 0...1) == 1
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let model = means.model
    let table = means.memory.table("nearest-embedding/\(distance)/\(centered)") {
      prepared(model.embedding.values(model.compute), model.configuration.hiddenSize)
    }
    let mean = centered ? columnMeans(observation.values) : [Float](repeating: 0, count: observation.values.columns)
    return try ScoreTable.reconstruct(view, observation.values, calibrated: false, model.compute, progress) { states, _ in
      var centred = states
      model.compute.addBias(&centred, mean.map { -$0 })
      // argmin ‖y − e‖² = argmax y·e − ½‖e‖²; for cosine the table rows have unit length and no offset.
      var scores = model.compute.linear(centred, table.rows, outputs: table.offsets.count)
      model.compute.addBias(&scores, table.offsets)
      return scores
    }
  }

  private struct Table: Sendable {
    var rows: [Float]
    var offsets: [Float]
  }

  private func prepared(_ embedding: [Float], _ width: Int) -> Table {
    var rows = Matrix(rows: embedding.count / width, columns: width, values: embedding)
    if centered {
      let mean = columnMeans(rows)
      for r in 0..<rows.rows { for c in 0..<width { rows[r, c] -= mean[c] } }
    }
    var offsets = [Float](repeating: 0, count: rows.rows)
    for r in 0..<rows.rows {
      let squared = rows[row: r].reduce(0) { $0 + $1 * $1 }
      if distance == .l2 { offsets[r] = -squared / 2; continue }
      let inverse = 1 / max(squared.squareRoot(), 1e-12)
      for c in 0..<width { rows[r, c] *= inverse }
    }
    return Table(rows: rows.values, offsets: offsets)
  }
}

/// Mean of every column of `x` [B, C].
func columnMeans(_ x: Matrix) -> [Float] {
  var sums = [Double](repeating: 0, count: x.columns)
  for r in 0..<x.rows { for (c, value) in x[row: r].enumerated() { sums[c] += Double(value) } }
  return sums.map { Float($0 / Double(max(1, x.rows))) }
}
