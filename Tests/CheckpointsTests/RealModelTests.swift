import Checkpoints
import Foundation
import Testing

/// A real model as GGUF, and the same model dequantised by transformers to an f32 folder (`from_pretrained(…, gguf_file: …)`): run with
/// FEDSEA_TEST_GGUF and FEDSEA_TEST_FOLDER set to their paths.
@Suite struct RealModelTests {
  private static let gguf = ProcessInfo.processInfo.environment["FEDSEA_TEST_GGUF"]
  private static let folder = ProcessInfo.processInfo.environment["FEDSEA_TEST_FOLDER"]

  @Test(.enabled(if: gguf != nil && folder != nil)) func dequantisedWeightsEqualTransformers() throws {
    let (quantised, wide) = try (Checkpoint.open(at: #require(Self.gguf)), Checkpoint.open(at: #require(Self.folder)))
    #expect(quantised.configuration == wide.configuration)
    #expect(quantised.keys == wide.keys)
    for key in wide.keys {
      if key.hasSuffix("norm.weight") || key.hasSuffix(".bias") {
        #expect(try quantised.vector(key) == wide.vector(key), "\(key)")
      } else {
        let (ours, theirs) = try (quantised.matrix(key), wide.matrix(key))
        try ours.checkFinite()
        try theirs.checkFinite()
        let equal = ours.widened().map(\.bitPattern) == theirs.widened().map(\.bitPattern)
        #expect(equal, "\(key)")
      }
    }
  }
}
