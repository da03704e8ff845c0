package import Foundation

/// Where trained inverters are kept between runs, and which weights they belong to.
package struct InverterStore: Sendable {
  /// Holds one folder an inverter; made when the first is stored.
  package let folder: URL
  /// What tells the weights from others: SHA-256 of the checkpoint, and that of the adapters where fine-tuned ones are known.
  package let weights: String
  /// Lowercase hex.
  package let tokenizerSHA256: String
  /// Told of files that cannot be used, for the person who runs the audit.
  package let notice: @Sendable (String) -> Void

  package init(folder: URL, weights: String, tokenizerSHA256: String, notice: @escaping @Sendable (String) -> Void) {
    (self.folder, self.weights, self.tokenizerSHA256, self.notice) = (folder, weights, tokenizerSHA256, notice)
  }
}
