import Diagnostics
import Foundation

/// What is known of the hidden states at one cut, measured on public text: the yardstick that turns noise units into each other.
package struct StateStatistics: Sendable, Codable, Equatable {
  /// Mean over tokens and channels of |h|, activation units.
  package var meanAbsolute: Double
  /// Root of the mean over tokens and channels of h²; a few massive channels can put it far above `meanAbsolute`.
  package var rootMeanSquare: Double
  /// Width C of a state.
  package var channels: Int
  /// Median over tokens of the state's L2 norm over its C channels.
  package var medianNorm: Double
  /// Tokens measured.
  package var tokens: Int

  package init(meanAbsolute: Double, rootMeanSquare: Double, channels: Int, medianNorm: Double, tokens: Int) {
    (self.meanAbsolute, self.rootMeanSquare, self.channels) = (meanAbsolute, rootMeanSquare, channels)
    (self.medianNorm, self.tokens) = (medianNorm, tokens)
  }

  enum CodingKeys: String, CodingKey {
    case meanAbsolute = "mean_abs", rootMeanSquare = "rms", channels, medianNorm = "median_norm", tokens
  }

  /// Measures packed rows [N, C]; sums in double precision.
  ///
  /// - Throws: `Fault` if there is no row or a value is not finite.
  package init(rows: Span<Float>, channels: Int) throws {
    precondition(channels > 0 && rows.count % channels == 0, "\(rows.count) values are no rows of \(channels) channels")
    let tokens = rows.count / channels
    guard tokens > 0 else { throw invalid("no hidden state to measure", hint: "give the noise calibration some public text") }
    var (absolute, square) = (0.0, 0.0)
    var norms = [Double]()
    norms.reserveCapacity(tokens)
    for token in 0..<tokens {
      let row = rows.extracting(token * channels..<(token + 1) * channels)
      var (rowAbsolute, rowSquare) = (0.0, 0.0)
      for i in row.indices {
        let value = Double(row[i])
        rowAbsolute += abs(value)
        rowSquare += value * value
      }
      guard rowSquare.isFinite else { throw invalid("hidden state \(token) has a value that is not finite") }
      absolute += rowAbsolute
      square += rowSquare
      norms.append(rowSquare.squareRoot())
    }
    norms.sort()
    let median = (norms[(tokens - 1) / 2] + norms[tokens / 2]) / 2
    let count = Double(rows.count)
    self.init(
      meanAbsolute: absolute / count, rootMeanSquare: (square / count).squareRoot(), channels: channels, medianNorm: median, tokens: tokens)
  }

  /// Measures packed rows [N, C].
  package init(rows: [Float], channels: Int) throws { try self.init(rows: rows.span, channels: channels) }
}
