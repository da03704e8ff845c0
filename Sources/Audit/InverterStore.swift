package import Foundation

/// Where trained inverters are kept between runs, and which weights they belong to.
package struct InverterStore: Sendable {
  /// Holds one folder an inverter; made when the first is stored.
  package let folder: URL
  /// Lowercase hex.
  package let checkpointSHA256: String
  package let tokenizerSHA256: String
  /// Told of files that cannot be used, for the person who runs the audit.
  package let notice: @Sendable (String) -> Void

  package init(folder: URL, checkpointSHA256: String, tokenizerSHA256: String, notice: @escaping @Sendable (String) -> Void) {
    (self.folder, self.checkpointSHA256, self.tokenizerSHA256, self.notice) = (folder, checkpointSHA256, tokenizerSHA256, notice)
  }
}
