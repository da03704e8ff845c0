import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// An inverter ready for use.
struct TrainedInverter: Sendable {
  var space: InverterSpace
  var network: InverterNetwork
  var mode: InverterNetwork.Mode
  /// Divides the evidence before the prior is added; fitted on held-out text.
  var temperature: Float
  /// What the model card says.
  var report: InverterReport

  /// Scores of all tokens at rows of documents: calibrated evidence plus the prior of public text, up to a constant of the row.
  struct Reader {
    private let inverter: TrainedInverter
    private let z: Matrix
    private let gates: Matrix

    /// Reads all rows of `states` [N, C]; `offsets` are those of the documents. Works through about 2,048 rows at a time.
    init(_ inverter: TrainedInverter, _ states: Matrix, offsets: [Int], _ compute: Compute) {
      self.inverter = inverter
      var (values, weights) = ([Float](), [Float]())
      var document = 0
      while document + 1 < offsets.count {
        let start = document
        repeat { document += 1 } while document + 1 < offsets.count && offsets[document + 1] - offsets[start] <= 2048
        let x = inverter.space.read(states.slice(offsets[start]..<offsets[document]), compute)
        let batch = PackedBatch(lengths: (start..<document).map { offsets[$0 + 1] - offsets[$0] })
        let reading = inverter.network.read(x, batch, inverter.mode, compute)
        values += reading.z.values
        weights += reading.gates.values
      }
      z = Matrix(rows: states.rows, columns: states.columns, values: values)
      gates = Matrix(rows: states.rows, columns: inverter.network.experts.count, values: weights)
    }

    /// [rows, V].
    func scores(_ rows: Range<Int>, prior: [Float], _ compute: Compute) -> Matrix {
      var scores = evidence(Array(rows), compute)
      compute.addBias(&scores, prior)
      return scores
    }

    /// The calibrated evidence alone, ln p(state | token) up to a constant of the row: [rows, V].
    func evidence(_ rows: [Int], _ compute: Compute) -> Matrix {
      let (z, gates) = (compute.gather(z, rows: rows[...]), compute.gather(gates, rows: rows[...]))
      var scores = InverterLoss.evidence(z, gates, inverter.network, inverter.space, compute)
      compute.scaleScores(&scores, by: 1 / inverter.temperature)
      return scores
    }
  }

  /// Reads a whole view: first positions by the codebook, all others by the network.
  func reconstruct(_ view: AdversaryView, _ states: Matrix, _ means: AttackerMeans, _ progress: (Double) throws -> Void) throws
    -> Reconstruction
  {
    let compute = means.model.compute
    let prior = Unigram.of(means).logProbabilities
    let reader = Reader(self, states, offsets: view.offsets, compute)
    let firsts = Set(view.offsets.dropLast())
    var found = try ScoreTable.reconstruct(view, states, calibrated: true, compute, progress) { part, rows in
      var scores = reader.scores(rows, prior: prior, compute)
      for (i, row) in rows.enumerated() where firsts.contains(row) {
        let first = zip(space.firstLogLikelihoods(part.slice(i..<i + 1), compute), prior).map { $0 + $1 }
        scores[row: i] = first[...]
      }
      return scores
    }
    found.cost.seconds += report.seconds
    if report.hitBudget {
      found.notes.append("its budget ended training early, after \(report.steps) steps: another machine gets another result")
    }
    return found
  }
}

/// What training came to.
struct InverterReport: Sendable, Equatable {
  /// Wall-clock seconds of training, and its steps.
  var seconds: Double
  var steps: Int
  var rate: Double
  /// On held-out public text, first positions aside.
  var heldOutAccuracy: Double
  var heldOutNats: Double
  var hitBudget: Bool
}

extension AttackerMeans {
  private static let temperatures: [Float] = [0.5, 0.7, 0.85, 1, 1.2, 1.5, 2, 3, 5, 8, 13, 20]

  /// The inverter for a task: from memory, from the store, or trained now (and stored).
  func inverter(_ recipe: InverterRecipe, _ task: InverterTask, progress: (Double) throws -> Void) throws -> TrainedInverter {
    let key = InverterKey(recipe, task, self)
    return try memory.table("inverter/\(key.sha256)") {
      let data = InverterData(task, self)
      if let stored = inverters?.inverter(key, recipe, task, data, self) { return stored }
      return try trained(key, recipe, task, data, progress)
    }
  }

  private func trained(
    _ key: InverterKey, _ recipe: InverterRecipe, _ task: InverterTask, _ data: InverterData, _ progress: (Double) throws -> Void
  ) throws -> TrainedInverter {
    let compute = model.compute
    let began = Date()
    let space = InverterSpace(data, sigma: task.whiteSigma, self)
    let preparation = Date().timeIntervalSince(began)
    let text = Array(data.priors[row: InverterData.Kind.text.rawValue])
    let loss = InverterLoss(
      space: space, data: data, candidates: InverterCandidates(space.codebook, prior: text, seed: trainingSeed, compute), compute: compute)
    let initial = recipe.network(space, sigma: task.whiteSigma, seed: trainingSeed, compute)
    let trainer = InverterTrainer(recipe, loss, initial: initial)
    let state = try trainer.run(
      from: inverters?.interrupted(key, recipe, initial), save: { try inverters?.save(interrupted: &$0, key) }, progress: progress)
    let heldOut = data.heldOut(factors: recipe.stages.last!.heldOut)
    // A gate that had no time to learn is worse than the expert for the stated noise.
    let fits = state.network.modes.flatMap { mode in
      zip(Self.temperatures, loss.evaluate(state.network, heldOut, mode, temperatures: Self.temperatures)).map { (mode, $0, $1) }
    }
    let (mode, temperature, score) = fits.min { $0.2.nats < $1.2.nats }!
    let inverter = TrainedInverter(
      space: space, network: state.network, mode: mode, temperature: temperature,
      report: InverterReport(
        seconds: state.seconds + preparation, steps: state.steps, rate: Double(trainer.rate(state)), heldOutAccuracy: score.accuracy,
        heldOutNats: score.nats, hitBudget: state.hitBudget))
    try inverters?.save(inverter, key, recipe, task)
    return inverter
  }
}
