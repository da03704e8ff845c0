/// Whether one thing that the other side can observe was recorded by the tap, and what the defense does to it.
package struct ChannelCoverage: Sendable, Codable, Hashable {
  package enum Protection: String, Sendable, Codable, CaseIterable {
    /// The defense changes what is observed in every cell that has noise.
    case protected
    /// Sent as it is.
    case unprotected
    /// Exists in the system, but this run neither recorded nor attacked it.
    case notExamined = "not-examined"
  }

  /// Path of the channel in view.h5, or a plain name for what the tap does not record.
  package var channel: String
  package var protection: Protection
  /// One plain sentence: what the defense does, or why nothing is said.
  package var note: String

  package init(channel: String, protection: Protection, note: String) {
    (self.channel, self.protection, self.note) = (channel, protection, note)
  }
}
