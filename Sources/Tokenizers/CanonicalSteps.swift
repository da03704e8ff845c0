// The bytes that stand for normalizer and pre-tokenizer steps in a tokenizer's SHA-256.

extension NormalizerStep {
  var canonical: [UInt8] {
    switch self {
    case .composed: Self.list("composed")
    case .prepend(let prefix): Self.list("prepend", prefix)
    case .prependAtStart(let prefix): Self.list("prepend at start", prefix)
    case .replace(let pattern, let content): Self.list("replace", pattern, content)
    }
  }

  static func list(_ name: String, _ arguments: [UInt8]...) -> [UInt8] {
    ([Array(name.utf8)] + arguments).flatMap { Array("\($0.count):".utf8) + $0 }
  }
}

extension PreTokenizerStep {
  var canonical: [UInt8] {
    switch self {
    case .expression(.gpt2): NormalizerStep.list("gpt2")
    case .expression(.llama3(let digits)): NormalizerStep.list("llama3", Array("\(digits)".utf8))
    case .literal(let pattern, let behavior, let inverted):
      NormalizerStep.list("literal", pattern, Array(behavior.rawValue.utf8), [inverted ? 1 : 0])
    case .digits(let individually): NormalizerStep.list("digits", [individually ? 1 : 0])
    case .metaspace(let replacement, let scheme, let splits):
      NormalizerStep.list("metaspace", replacement, Array(scheme.rawValue.utf8), [splits ? 1 : 0])
    case .prefixSpace: NormalizerStep.list("prefix space")
    }
  }
}
