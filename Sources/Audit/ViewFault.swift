package import Diagnostics

/// Faults that every reader of a view can meet.
package enum ViewFault {
  /// - Parameter present: channels that were read for the attack, which are those of the view that the attack knows.
  package static func missingChannel(_ channel: Channel, attack: String, present: [String]) -> Fault {
    Fault(
      .invalidData, "attack \"\(attack)\" needs the channel \(channel.rawValue), which this view does not hold",
      hint:
        "\(present.isEmpty ? "" : "of its channels the view holds \(present.joined(separator: ", ")); ")grant it in threat_model.channels and record again"
    )
  }

  package static func foreignCheckpoint(expected: String, found: String) -> Fault {
    Fault(
      .invalidData, "the view was recorded from checkpoint \(found.prefix(12))…, but the weights at hand are \(expected.prefix(12))…",
      hint: "attack with the checkpoint that the view names, or dump again")
  }
}
