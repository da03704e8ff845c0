/// One source of a data set, such as a speech or a conversation.
package struct SourceText: Sendable, Hashable {
  package var id: String
  /// Sources of one group always fall into the same split: speeches of one president in one year, messages of one conversation.
  package var group: String
  package var text: String
  package init(id: String, group: String, text: String) { (self.id, self.group, self.text) = (id, group, text) }
}

/// The two halves of a data set. They share no group, and which half a group falls into depends on its name alone, never on a seed: what is
/// public to the attacker in one run is not private in the next.
package enum SourceSplit: String, Sendable, CaseIterable {
  /// The victims' texts.
  case `private`
  /// What the attacker, or a calibration, may learn from.
  case `public`

  package init(ofGroup group: String) {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in group.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    self = CounterGenerator.mix(hash) & 1 == 0 ? .private : .public
  }
}
