import Foundation
package import Kernels

/// How the next token is drawn from logits.
package struct Sampling: Sendable, Hashable, Codable {
  /// 0 is greedy.
  package var temperature: Double
  /// Nucleus mass in (0, 1]: the smallest set of most probable tokens whose mass reaches it (Holtzman et al. 2020).
  package var topP: Double

  package static let greedy = Sampling(temperature: 0, topP: 1)

  package init(temperature: Double, topP: Double) {
    (self.temperature, self.topP) = (temperature, topP)
  }

  /// The token for step `step` of sequence `sequence`; a pure function of logits and the stream's seed. Ties go to the smaller id.
  package func choose(_ logits: ArraySlice<Float>, random: CounterRandom, sequence: Int, step: Int) -> Int32 {
    let best = argmax(logits)
    guard temperature > 0 else { return best }
    let top = logits[logits.startIndex + Int(best)]
    let weights = logits.map { exp(Double($0 - top) / temperature) }
    let order = weights.indices.sorted { weights[$0] == weights[$1] ? $0 < $1 : weights[$0] > weights[$1] }
    let total = weights.reduce(0, +)
    var kept: [(id: Int, weight: Double)] = []
    var mass = 0.0
    for id in order {
      kept.append((id, weights[id]))
      mass += weights[id]
      if mass >= topP * total { break }
    }
    var draw = random.uniform(item: UInt64(sequence) << 32 | UInt64(step)) * mass
    for (id, weight) in kept {
      draw -= weight
      if draw <= 0 { return Int32(id) }
    }
    return Int32(kept.last!.id)
  }
}

/// Index of the largest value, the first of equals; NaN never wins. Relative to the slice's start.
package func argmax(_ values: ArraySlice<Float>) -> Int32 {
  var (best, index) = (-Float.infinity, 0)
  for (i, value) in values.enumerated() where value > best { (best, index) = (value, i) }
  return Int32(index)
}
