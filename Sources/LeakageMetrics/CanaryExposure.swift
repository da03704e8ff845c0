/// How far an attack narrows down a secret of known entropy.
package struct CanaryExposure: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "canary_exposure", summary: "bits by which planted secrets were narrowed down, of 13.3 for 10,000 alternatives",
    definition: """
      log2 R - log2 rank, averaged over canaries (Carlini et al. 2019): the rank of the true secret among R alternatives by the attack's own \
      likelihood, the sum over the secret's positions of ln p(token), each given the attack's own reading of what stands before. Alternatives that \
      the tokenizer cuts into another number of tokens are left out of R. A posterior lists few tokens: the rest of its mass counts as spread \
      uniformly over the others, and alternatives of equal likelihood share the middle of their ranks, so an attack that knows nothing has \
      1 bit. Undefined without canaries and for attacks without a posterior
      """, unit: "bits", range: 0...64)

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  package func statistics(_ document: ScoredDocument) -> [Double]? {
    guard let ranks = document.secretRanks, !ranks.isEmpty else { return nil }
    return [ranks.reduce(0) { $0 + $1.exposure }, Double(ranks.count)]
  }
}
