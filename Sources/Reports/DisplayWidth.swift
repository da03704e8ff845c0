/// Columns that a text takes on a terminal: 0 for combining marks and joiners, 2 for East Asian wide and emoji, else 1. An estimate, as
/// terminals differ; text is measured by grapheme, so an emoji sequence counts once.
package func displayWidth(_ text: String) -> Int { text.reduce(0) { $0 + displayWidth($1) } }

/// The longest prefix that takes at most `width` columns, with `…` in place of the rest.
package func clipped(_ text: String, toWidth width: Int) -> String {
  guard displayWidth(text) > width else { return text }
  guard width > 0 else { return "" }
  var (out, used) = ("", 0)
  for character in text {
    let columns = displayWidth(character)
    if used + columns > width - 1 { break }
    out.append(character)
    used += columns
  }
  return out + "…"
}

private func displayWidth(_ character: Character) -> Int {
  var widest = 0
  for scalar in character.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: continue
    default: widest = max(widest, isWide(scalar) ? 2 : 1)
    }
  }
  return widest
}

private func isWide(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
    0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1FAFF, 0x20000...0x3FFFD:
    true
  default: scalar.properties.isEmojiPresentation
  }
}
