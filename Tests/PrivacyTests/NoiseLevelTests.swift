import Diagnostics
import Foundation
import Privacy
import Testing

@Suite struct NoiseLevelTests {
  /// FedSEA's first cut on LLaMA-2-7B: mean |h| 0.022, Gaussian-shaped, 4,096 channels.
  let state = StateStatistics(
    meanAbsolute: 0.022, rootMeanSquare: 0.022 * (Double.pi / 2).squareRoot(), channels: 4_096, medianNorm: 1.765, tokens: 1_000)

  @Test(arguments: [(0.02, "0.02507", "0.91"), (0.05, "0.06267", "2.27"), (0.1, "0.12533", "4.55")])
  func thePapersGrid(meanAbsolute: Double, sigma: String, relative: String) throws {
    let noise = try NoiseLevel.meanAbsolute(meanAbsolute).calibrated(for: state)
    #expect(printed(noise.sigma, decimals: 5) == sigma)
    #expect(printed(noise.relative, decimals: 2) == relative)
    #expect(relativeError(noise.meanAbsolute, meanAbsolute) < 1e-15)
    #expect(noise.epsilonPerToken == nil && noise.clip == nil)
    for same in [NoiseLevel.sigma(noise.sigma), .relative(noise.relative)] {
      let other = try same.calibrated(for: state)
      #expect(relativeError(other.sigma, noise.sigma) < 1e-14)
      #expect(relativeError(try #require(other.signalToNoise), try #require(noise.signalToNoise)) < 1e-13)
    }
  }

  @Test func signalToNoise() throws {
    let noise = try NoiseLevel.sigma(state.rootMeanSquare / 10).calibrated(for: state)
    #expect(relativeError(try #require(noise.signalToNoise), 100) < 1e-12)
    #expect(relativeError(try #require(noise.signalToNoiseDecibels), 20) < 1e-12)
    // mean |h| / mean |noise| = 1.1 at .02: 2,343 bits a token at most.
    let paper = try NoiseLevel.meanAbsolute(0.02).calibrated(for: state)
    #expect(gaussianCapacityBits(channels: 4_096, signalToNoise: try #require(paper.signalToNoise)).rounded() == 2_343)
  }

  @Test func differentialPrivacy() throws {
    let noise = try NoiseLevel.epsilon(8, delta: 1e-5, clip: 1.5).calibrated(for: state)
    #expect(printed(noise.sigma / 3, decimals: 6) == "0.600229")
    #expect(relativeError(try #require(noise.epsilonPerToken), 8) < 1e-10)
    #expect(noise.delta == 1e-5 && noise.clip == 1.5)
    // The clipped state has at most the power clip² / C.
    #expect(relativeError(try #require(noise.signalToNoise), 1.5 * 1.5 / 4_096 / (noise.sigma * noise.sigma)) < 1e-12)
  }

  @Test func aSequenceCostsMoreThanAToken() throws {
    // s = sigma / (2 clip) = 10 and 64 tokens: ε 3.38693.
    let noise = CalibratedNoise(sigma: 20, meanAbsolute: 0, relative: 0, clip: 1, epsilonPerToken: 0.340669, delta: 1e-5)
    #expect(printed(try #require(try noise.epsilon(tokens: 64)), decimals: 5) == "3.38693")
    #expect(printed(try #require(try noise.epsilon(tokens: 1)), decimals: 6) == "0.340669")
    #expect(try NoiseLevel.sigma(1).calibrated(for: state).epsilon(tokens: 64) == nil)
  }

  @Test func noNoise() throws {
    let noise = try NoiseLevel.none.calibrated(for: state)
    #expect(noise.sigma == 0 && noise.relative == 0 && noise.signalToNoise == nil && noise.signalToNoiseDecibels == nil)
    #expect(try NoiseLevel.sigma(0).calibrated(for: state) == noise)
  }

  @Test func jsonRoundTrip() throws {
    for level in [NoiseLevel.none, .relative(0.9), .epsilon(4, delta: 1e-6, clip: 2)] {
      let noise = try level.calibrated(for: state)
      let data = try JSONEncoder().encode(noise)
      #expect(try JSONDecoder().decode(CalibratedNoise.self, from: data) == noise)
      #expect(String(decoding: data, as: UTF8.self).contains("snr_db") == (level != .none))
    }
  }

  @Test func planValues() throws {
    #expect(try NoiseLevel(planValues: [:]) == .none)
    #expect(try NoiseLevel(planValues: ["mean_abs": 0.02]) == .meanAbsolute(0.02))
    #expect(try NoiseLevel(planValues: ["sigma": 1]) == .sigma(1))
    #expect(try NoiseLevel(planValues: ["relative": 0.9]) == .relative(0.9))
    #expect(try NoiseLevel(planValues: ["epsilon": 8, "delta": 1e-5, "clip": 2]) == .epsilon(8, delta: 1e-5, clip: 2))
  }

  @Test(arguments: [
    (["sigm": 1.0], "did you mean \"sigma\"?"), (["sigma": 1, "relative": 1], "keep one"),
    (["epsilon": 1, "delta": 0.1], "without a clip"),
    (["sigma": 1, "clip": 1], "add epsilon"), (["delta": 0.1], "add epsilon"), (["sigma": -1], "non-negative"),
    (["relative": .infinity], "finite"),
    (["mean_abs": .nan], "finite"), (["epsilon": 0, "delta": 0.1, "clip": 1], "positive"),
    (["epsilon": 1, "delta": 1, "clip": 1], "delta"),
    (["epsilon": 1, "delta": 0.1, "clip": 0], "clip"),
  ])
  func planErrors(values: [String: Double], part: String) {
    let fault = #expect(throws: Fault.self) { try NoiseLevel(planValues: values) }
    #expect(fault?.description.contains(part) == true, "\(String(describing: fault))")
    #expect(fault?.code == .invalidData)
  }

  @Test func refusesStatisticsWithoutScale() {
    var silent = state
    silent.meanAbsolute = 0
    #expect(throws: Fault.self) { try NoiseLevel.relative(1).calibrated(for: silent) }
    #expect(throws: Fault.self) { try NoiseLevel.sigma(1e308).calibrated(for: state) }
    #expect(throws: Fault.self) { try NoiseLevel.sigma(1e-308).calibrated(for: state) }
  }

  @Test func statisticsOfRows() throws {
    let measured = try StateStatistics(rows: [3, -4, 0, 0, 6, 8, 1, 0], channels: 2)
    #expect(measured.meanAbsolute == 22.0 / 8 && measured.channels == 2 && measured.tokens == 4)
    #expect(relativeError(measured.rootMeanSquare, (126.0 / 8).squareRoot()) < 1e-15)
    #expect(measured.medianNorm == 3)  // norms 0, 1, 5, 10
    #expect(throws: Fault.self) { try StateStatistics(rows: [], channels: 3) }
    #expect(throws: Fault.self) { try StateStatistics(rows: [1, .nan], channels: 2) }
    #expect(throws: Fault.self) { try StateStatistics(rows: [1, -.infinity], channels: 1) }
  }
}
