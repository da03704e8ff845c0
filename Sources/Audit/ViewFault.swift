package import Diagnostics

/// Faults that every reader of a view can meet.
package enum ViewFault {
  package static func missingChannel(_ channel: Channel, attack: String, present: [String]) -> Fault {
    Fault(
      .invalidData, "attack \"\(attack)\" needs the channel \(channel.rawValue), which this view does not hold",
      hint: "the view holds \(present.isEmpty ? "no channel" : present.joined(separator: ", ")); record it with threat_model.channels")
  }

  package static func foreignCheckpoint(expected: String, found: String) -> Fault {
    Fault(
      .invalidData, "the view was recorded from checkpoint \(found.prefix(12))…, but the weights at hand are \(expected.prefix(12))…",
      hint: "attack with the checkpoint that the view names, or dump again")
  }
}
