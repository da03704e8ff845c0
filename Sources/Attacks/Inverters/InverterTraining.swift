import Foundation
import Kernels
import Llama

/// Where the training of an inverter stands: everything that decides how it goes on.
struct InverterTraining: Sendable {
  var network: InverterNetwork
  var moments: [String: AdamW.Moments] = [:]
  /// Index of the leg (a trial of a learning rate, or a stage) and steps taken in it.
  var leg = 0
  var step = 0
  /// Held-out loss after each trial, nats.
  var trials: [Double] = []
  /// Values of the best look at held-out text of this leg, by name; its loss; looks since.
  var best: [String: [Float]] = [:]
  var bestLoss = 0.0
  var stale = 0
  /// Spent so far, in this and earlier processes.
  var seconds = 0.0
  /// Steps taken in stages, and whether the budget ended one early.
  var steps = 0
  var hitBudget = false

  init(_ network: InverterNetwork) { self.network = network }

  mutating func values() -> [String: [Float]] {
    var out: [String: [Float]] = [:]
    network.visit("") { name, tensor in out[name] = tensor.value.values }
    return out
  }

  mutating func restore(_ values: [String: [Float]]) {
    network.visit("") { name, tensor in tensor.value.values = values[name]! }
  }
}

/// Trains an inverter: rate trials, then the stages of the recipe, each ended early when held-out text stops improving. AdamW with a short
/// warm-up and linear decay. Deterministic for a seed, unless the budget of seconds cuts it short.
struct InverterTrainer {
  /// One run of steps with one learning rate.
  private struct Leg {
    var stage: InverterRecipe.Stage
    var steps: Int
    /// Nil for the rate that the trials chose.
    var rate: Float?

    /// Its part of the budget, up to a factor.
    var share: Double { Double(steps) * stage.weight }
  }

  let recipe: InverterRecipe
  let loss: InverterLoss
  let initial: InverterNetwork
  private let legs: [Leg]
  private let rule: AdamW

  init(_ recipe: InverterRecipe, _ loss: InverterLoss, initial: InverterNetwork) {
    (self.recipe, self.loss, self.initial) = (recipe, loss, initial)
    rule = AdamW(epsilon: 1e-8, weightDecay: InverterRecipe.weightDecay)
    let first = recipe.stages.first { $0.target == .crossEntropy }!
    legs =
      recipe.rates.map { Leg(stage: first, steps: min(InverterRecipe.interval, first.steps), rate: $0) }
      + recipe.stages.map { Leg(stage: $0, steps: $0.steps, rate: nil) }
  }

  /// The rate the trials chose.
  func rate(_ state: InverterTraining) -> Float {
    recipe.rates[state.trials.indices.min { state.trials[$0] < state.trials[$1] } ?? 0]
  }

  /// Trains until done. Calls `save` with every state worth keeping, `progress` with the fraction done; either may throw to stop.
  func run(
    from start: InverterTraining? = nil, save: (inout InverterTraining) throws -> Void, progress: (Double) throws -> Void
  ) throws -> InverterTraining {
    var state = start ?? InverterTraining(initial)
    let total = legs.reduce(0) { $0 + $1.share }
    let before = state.seconds
    let began = Date()
    while state.leg < legs.count {
      let leg = legs[state.leg]
      let done = legs.prefix(state.leg).reduce(0) { $0 + $1.share }
      let deadline = recipe.budgetSeconds * (done + leg.share) / total
      let heldOut = loss.data.heldOut(factors: leg.stage.heldOut)
      if state.step == 0 { begin(&state, leg, heldOut) }
      let schedule = LearningRateSchedule(
        peak: leg.rate ?? leg.stage.rate ?? rate(state), warmup: min(10, leg.steps / 4), steps: leg.rate == nil ? leg.steps : leg.steps * 2)
      var isOver = leg.steps == 0
      while !isOver {
        try progress((done + Double(state.step) * leg.stage.weight) / total)
        advance(&state, leg, rate: schedule.rate(state.step))
        state.seconds = before + Date().timeIntervalSince(began)
        let isLate = state.seconds > deadline
        isOver = state.step >= leg.steps || isLate
        guard isOver || state.step % InverterRecipe.interval == 0 else { continue }
        look(&state, leg, heldOut)
        state.hitBudget = state.hitBudget || (isLate && state.step < leg.steps)
        isOver = isOver || (leg.rate == nil && state.stale >= InverterRecipe.patience)
        if !isOver { try save(&state) }
      }
      end(&state, leg)
      state.seconds = before + Date().timeIntervalSince(began)
      try save(&state)
    }
    return state
  }

  private func begin(_ state: inout InverterTraining, _ leg: Leg, _ heldOut: InverterData.Examples) {
    state.moments = [:]
    state.best = state.values()
    state.bestLoss = leg.stage.target == .crossEntropy ? measured(state, leg, heldOut) : 0
    state.stale = 0
  }

  private func end(_ state: inout InverterTraining, _ leg: Leg) {
    if leg.rate != nil {
      state.trials.append(state.bestLoss)
      state.network = initial
    } else {
      // A stage that only prepares the next one is not judged by tokens.
      if leg.stage.target == .crossEntropy { state.restore(state.best) }
      state.steps += state.step
    }
    (state.leg, state.step) = (state.leg + 1, 0)
    (state.moments, state.best) = ([:], [:])
  }

  private func look(_ state: inout InverterTraining, _ leg: Leg, _ heldOut: InverterData.Examples) {
    guard leg.stage.target == .crossEntropy else { return }
    let now = measured(state, leg, heldOut)
    // A trial is judged where it ended; a stage keeps its best moment.
    if now < state.bestLoss || leg.rate != nil {
      (state.best, state.bestLoss, state.stale) = (state.values(), now, 0)
    } else {
      state.stale += 1
    }
  }

  private func measured(_ state: InverterTraining, _ leg: Leg, _ heldOut: InverterData.Examples) -> Double {
    loss.evaluate(state.network, heldOut, leg.stage.mode)[0].nats
  }

  private func advance(_ state: inout InverterTraining, _ leg: Leg, rate: Float) {
    let examples = loss.data.batch(leg.stage.name, step: state.step, rows: recipe.rowsPerStep, factors: leg.stage.factors)
    state.network.visit("") { _, tensor in tensor.gradient = Matrix(rows: tensor.value.rows, columns: tensor.value.columns) }
    _ = loss.step(&state.network, examples, leg.stage, step: state.step)
    state.step += 1
    var squares = 0.0
    state.network.visit("") { name, tensor in
      guard Self.learns(name, leg.stage) else { return }
      squares += loss.compute.sumOfSquares(tensor.gradient)
    }
    let factor = clippingFactor([squares], bound: 5)
    var moments = state.moments
    state.moments = [:]
    let step = state.step
    state.network.visit("") { name, tensor in
      guard Self.learns(name, leg.stage) else { return }
      var own = moments.removeValue(forKey: name) ?? AdamW.Moments(count: tensor.value.values.count)
      rule.update(&tensor.value.values, gradient: tensor.gradient.values, &own, rate: rate, step: step, gradientScale: factor)
      moments[name] = own
    }
    state.moments = moments
  }

  private static func learns(_ name: String, _ stage: InverterRecipe.Stage) -> Bool { stage.trains.contains { name.hasPrefix($0) } }
}

extension Compute {
  /// Σ x², in pieces whose sums are added in double precision.
  fileprivate func sumOfSquares(_ x: Matrix) -> Double {
    (0..<x.rows).reduce(0.0) { total, r in
      var squares: Float = 0
      for value in x[row: r] { squares += value * value }
      return total + Double(squares)
    }
  }
}
