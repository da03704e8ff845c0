import Audit

/// Cheap likelihoods of every token at once, in whose order sequential matching tries candidates.
struct CandidateOrder {
  let table: AnchorTable
  let later: AnchorScorer
  /// What ranks the candidates of later positions until some were tried, in the place of `later`; nil without.
  var inverter: TrainedInverter?

  /// By tables made before.
  init(table: AnchorTable, later: AnchorScorer) { (self.table, self.later) = (table, later) }

  init(_ inputBlocks: Int, _ likelihood: CandidateLikelihood, inverter: TrainedInverter? = nil, _ means: AttackerMeans) {
    let noise = likelihood.noise
    self.inverter = inverter
    table = AnchorTable.at(inputBlocks, means, feature: likelihood.feature, noise: noise)
    later = table.whitenedScorer(
      sigma: likelihood.proposalSigma, inputBlocks: inputBlocks, feature: likelihood.feature, noise: noise, means)
  }
}
