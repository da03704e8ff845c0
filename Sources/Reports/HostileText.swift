/// The text with everything that acts instead of showing made visible as `⟨U+202E⟩`: controls (line feed and tab stay), bidirectional
/// marks and overrides, zero-width characters, line and paragraph separators, tag characters and noncharacters.
///
/// Recovered text is chosen by whoever wrote the documents, so a page must not let it reorder, hide or end anything.
package func visibleScalars(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: isActive) else { return text }
  var out = ""
  for scalar in text.unicodeScalars {
    if isActive(scalar) {
      let hex = String(scalar.value, radix: 16, uppercase: true)
      out += "⟨U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex + "⟩"
    } else {
      out.unicodeScalars.append(scalar)
    }
  }
  return out
}

private func isActive(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x09, 0x0A: false
  case 0...0x1F, 0x7F...0x9F: true
  case 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB: true
  case 0xFDD0...0xFDEF, 0xE0000...0xE007F: true
  default: scalar.value & 0xFFFE == 0xFFFE
  }
}

/// At most `limit` scalars of the text, and how many were left out.
package func truncated(_ text: String, to limit: Int) -> (text: String, omitted: Int) {
  precondition(limit >= 0, "cannot keep \(limit) characters")
  let scalars = text.unicodeScalars
  guard let end = scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex), end != scalars.endIndex else {
    return (text, 0)
  }
  return (String(scalars[..<end]), scalars.distance(from: end, to: scalars.endIndex))
}
