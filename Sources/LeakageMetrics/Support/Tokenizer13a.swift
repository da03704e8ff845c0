import TextScores

/// The words of mteval-v13a as sacreBLEU 2 cuts them (`tokenizer_13a.py`). It works on UTF-8 bytes: every rule names ASCII characters only.
func words13a(_ text: String) -> [ArraySlice<UInt8>] {
  var scalars = text.unicodeScalars[...]
  while let last = scalars.last, isPythonSpace(last) { scalars.removeLast() }
  var line = Array(String(scalars).utf8)
  line = replacing("<skipped>", with: "", in: line)
  line = replacing("-\n", with: "", in: line)
  line = replacing("\n", with: " ", in: line)
  if line.contains(UInt8(ascii: "&")) {
    for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
      line = replacing(entity, with: character, in: line)
    }
  }
  line = [space] + line + [space]
  line = separatingSymbols(line)
  // Period and comma, unless preceded by a digit; unless followed by a digit; a dash that follows a digit.
  line = substitutingPairs(line, where: { !isDigit($0) && isPeriodOrComma($1) }) { [$0, space, $1, space] }
  line = substitutingPairs(line, where: { isPeriodOrComma($0) && !isDigit($1) }) { [space, $0, space, $1] }
  line = substitutingPairs(line, where: { isDigit($0) && $1 == UInt8(ascii: "-") }) { [$0, space, $1, space] }
  return whitespaceWords(String(decoding: line, as: UTF8.self))
}

private let space = UInt8(ascii: " ")

private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

private func isPeriodOrComma(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: ",") }

/// Blanks around every ASCII symbol except apostrophe, comma, dash and period: the class `{-~ [-` space-& (-+ :-@ /`.
private func separatingSymbols(_ line: [UInt8]) -> [UInt8] {
  var out: [UInt8] = []
  out.reserveCapacity(line.count * 2)
  for byte in line {
    switch byte {
    case 0x7B...0x7E, 0x5B...0x60, 0x20...0x26, 0x28...0x2B, 0x3A...0x40, 0x2F: out += [space, byte, space]
    default: out.append(byte)
    }
  }
  return out
}

/// `re.sub` of a pattern of two characters: matches are found from the left and do not overlap.
private func substitutingPairs(
  _ line: [UInt8], where matches: (UInt8, UInt8) -> Bool, with replacement: (UInt8, UInt8) -> [UInt8]
) -> [UInt8] {
  var out: [UInt8] = []
  out.reserveCapacity(line.count + line.count / 4)
  var i = 0
  while i < line.count {
    if i + 1 < line.count, matches(line[i], line[i + 1]) {
      out += replacement(line[i], line[i + 1])
      i += 2
    } else {
      out.append(line[i])
      i += 1
    }
  }
  return out
}

/// Python's `str.replace`.
private func replacing(_ pattern: String, with replacement: String, in line: [UInt8]) -> [UInt8] {
  let (pattern, replacement) = (Array(pattern.utf8), Array(replacement.utf8))
  var out: [UInt8] = []
  out.reserveCapacity(line.count)
  var i = 0
  while i < line.count {
    if line[i] == pattern[0], line[i...].starts(with: pattern) {
      out += replacement
      i += pattern.count
    } else {
      out.append(line[i])
      i += 1
    }
  }
  return out
}
