import Foundation

/// How many bits a token the attack gains over reading with a language model.
package struct BitsPerToken: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "bits_per_token", summary: "bits per token gained over the language model alone",
    definition: """
      mean over positions of log2 p_attack(true token) - log2 q(true token | true prefix), averaged over documents: in expectation a variational lower \
      bound on the mutual information of token and observation (Barber & Agakov 2003) up to the quality of q. A probability below 2^-100 counts as \
      2^-100. Undefined for attacks without a posterior, and where a log-probability is NaN
      """, unit: "bits", range: -Double.infinity...Double.infinity)

  package func score(_ document: ScoredDocument) -> Double? {
    guard let attack = document.truthLogProbability, let prior = document.priorLogProbability, !document.truthTokens.isEmpty else {
      return nil
    }
    precondition(
      attack.count == document.truthTokens.count && prior.count == attack.count,
      "\(document.truthTokens.count) tokens with \(attack.count) attack and \(prior.count) prior log-probabilities")
    let floor = -100 * log(2.0)
    var gain = 0.0
    for (p, q) in zip(attack, prior) {
      guard p <= 1e-3, q <= 1e-3 else { return nil }
      gain += max(p, floor) - max(q, floor)
    }
    return gain / log(2) / Double(attack.count)
  }
}
