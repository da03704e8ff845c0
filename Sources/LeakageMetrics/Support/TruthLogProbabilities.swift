package import Audit
import Diagnostics
import Foundation

/// Share of the mass that is spread uniformly over the vocabulary before an attack's posterior is scored. The bound on leaked bits holds for any
/// distribution, so mixing keeps it valid; it costs at most 1.4e-6 bits a token and turns an attack's "impossible" into a finite price.
package let uniformShare = 1e-6

/// ln p_attack(true token) at each position of one document.
///
/// A listed candidate has its own probability; the rest of the mass is uniform over the tokens not listed. Each row is normalised to a total
/// of 1 and mixed with `uniformShare` of the uniform law.
///
/// - Parameters:
///   - truth: the document's T token ids.
///   - posterior: the attack's answer for all documents, packed; it may come from a foreign program and is checked.
///   - offset: the document's first position in it.
///   - vocabularySize: V, tokens in the vocabulary.
/// - Returns: T natural logarithms, all finite.
/// - Throws: `Fault` if the shapes do not fit, a token is outside the vocabulary or listed twice, a log-probability is NaN or positive, or a row's
///   total is further than 1 % from 1.
package func truthLogProbabilities(
  of truth: [Int32], in posterior: TokenPosterior, from offset: Int, vocabularySize: Int
) throws -> [Double] {
  let width = posterior.width
  let (entries, overflow) = posterior.positions.multipliedReportingOverflow(by: width)
  guard width >= 0, !overflow, posterior.ids.count == entries, posterior.logProbabilities.count == entries else {
    throw Fault(
      .invalidData,
      "a posterior of \(posterior.positions) positions and \(width) candidates has \(posterior.ids.count) ids and "
        + "\(posterior.logProbabilities.count) log-probabilities")
  }
  guard offset >= 0, offset <= posterior.positions, truth.count <= posterior.positions - offset else {
    throw Fault(
      .invalidData, "the posterior has \(posterior.positions) positions, the document needs \(truth.count) from position \(offset)")
  }
  guard vocabularySize > 0, vocabularySize <= Int(Int32.max) else {
    throw Fault(.invalidData, "a vocabulary of \(vocabularySize) tokens is impossible")
  }
  // The position (+ 1) at which a token was listed last: finds duplicates without a set per row.
  var listedAt = [Int](repeating: 0, count: width == 0 ? 0 : vocabularySize)
  return try truth.indices.map { t in
    let place = "posterior position \(offset + t)"
    guard truth[t] >= 0, truth[t] < vocabularySize else {
      throw Fault(.invalidData, "true token \(truth[t]) is outside a vocabulary of \(vocabularySize)", at: place)
    }
    var (total, listed, own) = (0.0, 0, Double?.none)
    for k in (offset + t) * width..<(offset + t + 1) * width where posterior.ids[k] != -1 {
      let id = posterior.ids[k]
      guard id >= 0, id < vocabularySize else {
        throw Fault(.invalidData, "candidate \(id) is outside a vocabulary of \(vocabularySize)", at: place)
      }
      guard listedAt[Int(id)] != t + 1 else { throw Fault(.invalidData, "candidate \(id) is listed twice", at: place) }
      listedAt[Int(id)] = t + 1
      let p = try probability(posterior.logProbabilities[k], at: place)
      if id == truth[t] { own = p }
      total += p
      listed += 1
    }
    let rest = try probability(posterior.restLogProbability[offset + t], at: place)
    let unlisted = vocabularySize - listed
    if unlisted > 0 { total += rest }
    guard abs(total - 1) <= 0.01 else {
      throw Fault(
        .invalidData, "the probabilities add up to \(total)", at: place, hint: "expected 1; write natural logarithms after a softmax")
    }
    let p = (own ?? rest / Double(unlisted)) / total
    return log((1 - uniformShare) * p + uniformShare / Double(vocabularySize))
  }
}

/// e^x of a log-probability; a rounding error above 0 is tolerated.
private func probability(_ x: Float, at place: String) throws -> Double {
  guard x <= 1e-3 else { throw Fault(.invalidData, "\(x) is no log-probability", at: place) }
  return exp(Double(x))
}
