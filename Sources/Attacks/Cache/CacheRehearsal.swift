import Audit
import Kernels
import Llama
import SplitLearning

/// What the client's noise has become by the time it is in a server block's tensors: measured by the attacker on public text, through its own copy of
/// the blocks and the published defense. Noise on h̃_A passes a norm, linear maps and whole blocks, so its law there has no closed form beyond the
/// first block; a ridge map from clean to noisy features, and the covariance of what it leaves, stand for it.
struct CacheRehearsal: Sendable {
  /// RMS per coordinate of noisy minus clean features, at first positions and at later ones.
  let firstSigma: Double
  let laterSigma: Double
  /// nil without noise, or with too little public text.
  let correction: AffineCorrection?
  /// Rows of public text as candidates are compared and as they would be observed, with those of first positions; nil without noise.
  private let rows: (own: Matrix, observed: Matrix, firsts: Set<Int>)?

  /// `likelihood` with the limits that these rows keep.
  func rehearsed(_ likelihood: CandidateLikelihood, _ compute: Compute) -> CandidateLikelihood {
    rows.map { likelihood.rehearsed($0.own, $0.observed, firsts: $0.firsts, compute) } ?? likelihood
  }

  /// Public passages that are run, at most.
  private static let passages = 384

  /// - Parameters:
  ///   - feature: what is observed of a state that enters block `block`.
  ///   - corrects: fit the map and the covariance too.
  init(_ view: AdversaryView, block: Int, _ feature: StateFeature, corrects: Bool, _ means: AttackerMeans) {
    let (noise, compute) = (view.inputNoise, means.model.compute)
    let texts = means.auxiliary.prefix(Self.passages).filter { !$0.isEmpty }
    guard noise.law != .none || noise.clip != nil, !texts.isEmpty else {
      (firstSigma, laterSigma, correction, rows) = (0, 0, nil, nil)
      return
    }
    let (clean, noisy) = means.sent(Array(texts), inputBlocks: view.partition.input, under: noise, stream: "cache")
    let batch = PackedBatch(lengths: texts.map(\.count))
    func features(_ states: Matrix) -> Matrix {
      feature.applyInParts(means.passed(states, batch, through: view.partition.input..<block), compute)
    }
    let (own, observed) = (features(clean), features(noisy))
    let firsts = Set(batch.offsets.dropLast())
    func rms(_ rows: [Int]) -> Double {
      var total = 0.0
      for r in rows { for (a, b) in zip(own[row: r], observed[row: r]) { total += Double(a - b) * Double(a - b) } }
      return (total / Double(max(1, rows.count * own.columns))).squareRoot()
    }
    let later = (0..<own.rows).filter { !firsts.contains($0) }
    rows = (own, observed, firsts)
    firstSigma = rms(firsts.sorted())
    laterSigma = rms(later)
    correction =
      corrects
      ? AffineCorrection(own: compute.gather(own, rows: later[...]), observed: compute.gather(observed, rows: later[...]), compute)
      : nil
  }
}
