package import Audit
import Foundation
import Kernels
import Llama
import SplitLearning

/// A11: vocabulary matching against a cache: candidate tokens are run through all blocks before the recorded one, and their keys and values
/// compared with those of the cache; the recorded block may be any of the server's.
///
/// On clean caches this is KV-Cloak's Collision with the language model's order of candidates. Under noise the likelihood is exact at the server's first
/// block (`WhitenedCache`); deeper, the comparison is whitened by what the noise becomes on public text (`CacheRehearsal`), which takes the place
/// of Collision+'s calibrated thresholds.
package struct CacheCollision: Attack {
  package static let description = MethodDescription(
    name: "cache-collision", summary: "replays candidate tokens and compares their keys and values with a captured cache, left to right",
    paper: "KV-Cloak: Collision and Collision+ (Luo et al. 2025)",
    deviations:
      "language-model prior and candidate order; likelihood whitened by rehearsed noise in place of a mean − 3 deviations threshold; candidates pass the client's and the server's blocks up to the recorded one",
    cost: "about 10 candidate forwards a token through all blocks before the cache's; 2·V forwards once a depth for the proposals",
    knowledge: .k1, channels: [.keys, .values], family: .collision,
    settings: CacheSettings.texts)

  package static let rules = CacheSettings.rules

  private let cache: CacheSettings

  package var reads: [Channel] { cache.tensors.channels }

  package init(_ settings: [String: SettingValue]) throws { cache = try CacheSettings(settings, of: Self.description.name) }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let started = Date()
    try view.requireKnownNoise(by: Self.description.name)
    let seen = try CachedTensors(view, cache.tensors, place: cache.place, means, by: Self.description.name)
    var likelihood = CandidateLikelihood(noise: .none, sigma: 0)
    var observed = seen.observed
    if view.inputNoise.law == .gaussian, seen.block == view.partition.input, let sigma = view.inputNoise.sigma, sigma > 0,
      let whitened = WhitenedCache(seen, view, sigma: sigma, means)
    {
      (observed, likelihood) = (whitened.observed, CandidateLikelihood(noise: .none, sigma: Float(sigma)))
      (likelihood.feature, likelihood.isScaleFree) = (whitened.feature, true)
      likelihood = whitened.rehearsed(likelihood, means.model.compute)
    } else {
      let rehearsal = CacheRehearsal(view, block: seen.block, seen.feature, corrects: true, means)
      likelihood = CandidateLikelihood(noise: .none, sigma: Float(rehearsal.laterSigma))
      (likelihood.feature, likelihood.correction) = (seen.feature, rehearsal.correction)
      likelihood.firstSigma = Float(rehearsal.firstSigma)
      likelihood = rehearsal.rehearsed(likelihood, means.model.compute)
    }
    let prepared = Date().timeIntervalSince(started)
    var found = try cache.decode(view, seen, observed, likelihood, means, progress)
    found.cost.seconds += prepared
    return found
  }
}
