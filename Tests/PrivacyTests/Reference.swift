import Foundation

/// Tests/Fixtures/privacy_reference.json, written by the script beside it.
struct Reference: Decodable {
  struct Curve: Decodable { var mu, delta, epsilon, renyi: Double }
  struct Noise: Decodable { var epsilon, delta, mu: Double }
  struct LogDelta: Decodable {
    var epsilon, mu, logDelta: Double
    enum CodingKeys: String, CodingKey { case epsilon, mu, logDelta = "log_delta" }
  }
  struct Normal: Decodable {
    var z, logCumulative: Double
    enum CodingKeys: String, CodingKey { case z, logCumulative = "log_cumulative" }
  }
  struct Quantile: Decodable { var p, z: Double }
  struct Binomial: Decodable {
    var successes, trials: Int
    var lower, upper: Double
  }
  struct Game: Decodable {
    var h0, h1: [Double]
    var auc, variance: Double
  }
  var curve: [Curve], noise: [Noise], normal: [Normal], quantile: [Quantile], binomial: [Binomial], games: [Game], logDelta: [LogDelta]
  enum CodingKeys: String, CodingKey { case curve, noise, normal, quantile, binomial, games, logDelta = "log_delta" }

  static func load() throws -> Reference {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/privacy_reference.json").standardized
    return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
  }
}

/// |a - b| / |b|, or |a| when b is 0.
func relativeError(_ a: Double, _ b: Double) -> Double { a == b ? 0 : abs(a - b) / (b == 0 ? 1 : abs(b)) }

/// `value` rounded as a table prints it.
func printed(_ value: Double, decimals: Int) -> String { String(format: "%.\(decimals)f", value) }
