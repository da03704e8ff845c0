import TextScores

/// The words of an answer as CoQA's official evaluation compares them.
enum AnswerWords {
  /// Lower-cased, without ASCII punctuation and the articles a, an and the, cut at white space. An article is a whole run of letters and
  /// digits, so "the—end" loses it and "théa" does not. Equal to the official script but for Python's final sigma, which it lower-cases to ς.
  static func words(_ text: String) -> [ArraySlice<UInt8>] {
    var out = String.UnicodeScalarView()
    var run = String.UnicodeScalarView()
    func flush() {
      switch String(run) {
      case "a", "an", "the": out.append(" ")
      default: out.append(contentsOf: run)
      }
      run.removeAll()
    }
    for scalar in text.unicodeScalars where !isPunctuation(scalar) {
      for lower in scalar.properties.lowercaseMapping.unicodeScalars {
        if isWord(lower) {
          run.append(lower)
        } else {
          flush()
          out.append(lower)
        }
      }
    }
    flush()
    return whitespaceWords(String(out))
  }

  /// F1 of the two bags of words; without a word on either side 1 if neither has one, else 0.
  static func f1(_ reference: [ArraySlice<UInt8>], _ guess: [ArraySlice<UInt8>]) -> Double {
    if reference.isEmpty || guess.isEmpty { return reference.isEmpty == guess.isEmpty ? 1 : 0 }
    return TextScores.f1(overlap: bagOverlap(reference, guess), truth: reference.count, guess: guess.count)
  }

  /// Python's `string.punctuation`.
  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
    default: false
    }
  }

  /// Python's `\w` (the underscore is punctuation): letters and numbers, no combining marks.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber, .otherNumber:
      true
    default: false
    }
  }
}
