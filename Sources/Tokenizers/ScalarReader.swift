/// The scalar of the UTF-8 sequence at `index`, and the index after it.
///
/// Anything that is no well-formed sequence counts as one scalar U+FFFD of one byte, so reading always moves on and never leaves `bytes`.
@inline(__always)
func scalar(in bytes: [UInt8], at index: Int) -> (value: UInt32, next: Int) {
  let lead = bytes[index]
  if lead < 0x80 { return (UInt32(lead), index + 1) }
  return longScalar(in: bytes, at: index, lead: lead)
}

private func longScalar(in bytes: [UInt8], at index: Int, lead: UInt8) -> (value: UInt32, next: Int) {
  let (length, smallest): (Int, UInt32)
  var value: UInt32
  switch lead {
  case 0xC2...0xDF: (length, smallest, value) = (2, 0x80, UInt32(lead & 0x1F))
  case 0xE0...0xEF: (length, smallest, value) = (3, 0x800, UInt32(lead & 0x0F))
  case 0xF0...0xF4: (length, smallest, value) = (4, 0x10000, UInt32(lead & 0x07))
  default: return (0xFFFD, index + 1)
  }
  guard bytes.count - index >= length else { return (0xFFFD, index + 1) }
  for offset in 1..<length {
    let byte = bytes[index + offset]
    guard byte & 0xC0 == 0x80 else { return (0xFFFD, index + 1) }
    value = value << 6 | UInt32(byte & 0x3F)
  }
  guard value >= smallest, value < 0x110000, !(0xD800..<0xE000).contains(value) else { return (0xFFFD, index + 1) }
  return (value, index + length)
}

/// The index where the scalar that ends before `end` starts; `end` must be above `start`.
func previousScalar(in bytes: [UInt8], before end: Int, from start: Int) -> (value: UInt32, start: Int) {
  var index = end - 1
  while index > start, end - index < 4, bytes[index] & 0xC0 == 0x80 { index -= 1 }
  let read = scalar(in: bytes, at: index)
  return read.next == end ? (read.value, index) : (0xFFFD, end - 1)
}
