package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// A16: reads the text off ∂L/∂W_Q of the client's first blocks, which the server sees when it averages clients' updates.
///
/// ∂L/∂W_Q = Σ_t δ_t n_tᵀ, so its row space is the span of the normalised inputs n_t of the block. Block 0's inputs are normalised embeddings:
/// every token of the vocabulary is checked against the span, which leaves the bag of tokens of the message. Block 1's inputs depend on prefixes:
/// texts grow token by token as long as their state stays in the span (`SpanSearch`). Noise on what the client sends to the server does not help
/// it here: its own weight gradients are of its own clean states, and noise on ∂L/∂h_B changes the δ_t, not the n_t.
///
/// No trace in the span: a text's first token, whose attention is constant (`FirstPositions`), and its last, which predicts nothing; that one is a label
/// (`LastLabels`), and where none fits guessed by the language model. Needs fewer positions than channels.
///
/// APRIL's closed form (Lu et al. 2022) reads z out of ∂L/∂z = Σ Wᵀ ∂L/∂(W z) for the input z of attention without residual or norm before it, with
/// a learned position embedding whose gradient is ∂L/∂z. A pre-norm block has ∂L/∂n only inside the client (what leaves is ∂L/∂x of a residual
/// stream, or nothing), rotary positions have no gradient, and the sums over positions need W_K and W_V too: there is no such equation to solve.
package struct GradientSpan: Attack {
  package static let description = MethodDescription(
    name: "gradient-span", summary: "tokens and texts whose states span the gradients of the client's query weights",
    paper: "DAGER (Petrov et al. 2024), the decoder's search",
    deviations:
      "no begin token: first tokens are told from the gradient of the second query, or tried, likely ones first; last tokens are read as labels; the rank is that of the widest gap, or where none shows the number of singular values above rounding, with thresholds five times as wide; thresholds allow for f32; texts of one message that are equally long come in any order. APRIL (Lu et al. 2022) solves for the input of attention without residual or norm before it and with learned positions, which a LLaMA block has not: no equation is left to solve",
    cost:
      "one SVD [H·D, C] a block and message, tokens of the bag through one block a position, first_tokens times the bag, and for last tokens C rows back through the whole model a document",
    knowledge: .k1, channels: [.queryWeightGradients], family: .gradient,
    settings: [
      "threshold": "relative residual below which a token is in the span, default 0.01",
      "threshold_states": "the same for states after the first block, default 0.01",
      "last_tokens":
        "labels (default) reads them off the gradient that they cause, with the weights of the whole model; guess takes the language model's word",
      "first_tokens":
        "first tokens tried where the gradient does not tell: beginnings of public passages, then the bag, then the most frequent ones, default 2048",
    ])

  package static let rules: [String: SettingRule] = [
    "threshold": .number(1e-7...0.9), "threshold_states": .number(1e-7...0.9), "first_tokens": .integer(1...(1 << 30)),
    "last_tokens": .choice(LastTokens.allCases.map(\.rawValue)),
  ]

  enum LastTokens: String, CaseIterable { case labels, guess }

  private let lastTokens: LastTokens
  private let threshold: Float
  private let stateThreshold: Float
  private let firstTokens: Int

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    lastTokens = try reader.choice("last_tokens", default: .labels)
    threshold = Float(try reader.real("threshold", default: 0.01, in: 1e-7...0.9))
    stateThreshold = Float(try reader.real("threshold_states", default: 0.01, in: 1e-7...0.9))
    firstTokens = try reader.integer("first_tokens", default: 2048, in: 1...(1 << 30))
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let started = Date()
    let observation = try view.required(.queryWeightGradients, by: Self.description.name)
    let messages = view.messages.count - 1
    let rows = try check(view, observation, means)
    let table = means.memory.table("inputs of the first block") { Self.inputs(means) }
    var known: [SpanEnding.Known] = []
    let lastLabels = LastLabels(means)
    // The labels' gradient comes through a server that computed with what the defense left of the states; the client's own blocks see none of it.
    let readsLabels = lastTokens == .labels && view.inputNoise.law == .none && view.inputNoise.clip == nil
    var (asked, unread): (Int, [NoSpan]) = (0, [])
    for message in 0..<messages {
      let documents = view.messages[message]..<view.messages[message + 1]
      let lengths = documents.map { view.range(of: $0).count }
      let gradients = try [0, 1].map { block in
        try observation.part(of: block).map { try finite($0.slice(message * rows..<(message + 1) * rows), message) }
      }
      // Second positions to last ones; the last count where noise gives them a gradient.
      let most = lengths.reduce(0) { $0 + max(0, $1 - 1) }
      var texts: [[Int32]] = []
      var bag: [Int32] = []
      if most > 0, let first = gradients[0] {
        asked += 1
        do {
          let span = try space(first, most, message, means.model.compute)
          let fits = span.residuals(table, means.model.compute)
          bag = fits.indices.filter { fits[$0] < bound(threshold, span) }.map(Int32.init)
          if bag.isEmpty, !span.isSharp { throw NoSpan.flat(message, most) }
          if let second = gradients[1], !bag.isEmpty {
            let deeper = try space(second, most, message, means.model.compute)
            texts = try self.texts(first, table, bag, deeper, lengths, means) { done in
              try progress(Self.searching * (Double(message) + done) / Double(messages))
            }
          }
        } catch let fault as NoSpan { unread.append(fault) }
      }
      let verified = gradients[1].flatMap { Self.verified(texts, lengths, explaining: $0, lastLabels) }
      let assigned: [[Int32]]
      if readsLabels, let verified, let second = gradients[1], !verified.isWhole {
        assigned = zip(verified.texts, lastLabels.labels(second, verified.texts)).map { text, last in text + (last.map { [$0] } ?? []) }
      } else {
        assigned = verified?.texts ?? Self.assigned(texts, lengths)
      }
      for (length, text) in zip(lengths, assigned) {
        // Texts that are equally long may as well be each other's.
        let rivals = text.isEmpty ? [] : assigned.filter { $0.count == text.count && $0 != text }
        known.append(.init(text: text, rivals: rivals, isVerified: verified != nil, bag: bag, length: length))
      }
      try progress(Self.searching * Double(message + 1) / Double(messages))
    }
    var found = Reconstruction(tokens: [], posterior: TokenPosterior(width: SpanEnding.posteriorWidth))
    if let first = unread.first {
      let reason = "message \(first.message) has \(first.reason)"
      guard unread.count < asked else {
        throw Fault(
          .invalidData, "\(Self.description.name) is not applicable: \(reason)",
          hint: "a message must have fewer tokens than the model has channels, and gradients must be sent without noise")
      }
      found.notes.append(
        "\(unread.count) of \(asked) messages could not be read; what of their texts no span told is the language model's guess (\(reason))"
      )
    }
    let documents = try SpanEnding(means).completed(known) { try progress(Self.searching + (1 - Self.searching) * $0) }
    for steps in documents {
      found.tokens.append(steps.map(\.token))
      for step in steps { found.posterior!.append(step.posterior, position: 0) }
    }
    found.cost.seconds = Date().timeIntervalSince(started)
    return found
  }

  /// Share of the progress until the spans are searched.
  private static let searching = 0.8

  /// Why a message cannot be read.
  private struct NoSpan: Error {
    var message: Int
    var reason: String

    static func flat(_ message: Int, _ most: Int) -> NoSpan {
      NoSpan(message: message, reason: "\(most) positions, and the spectrum of its gradient shows no gap")
    }
  }

  /// A threshold of residuals for a span: larger where its directions are not sharp.
  private func bound(_ threshold: Float, _ span: RowSpace) -> Float { span.isSharp ? threshold : min(0.9, Self.blur * threshold) }
  private static let blur: Float = 5

  /// Rows of one message. Throws `Fault` 65 unless the gradients are of this model and of the view's messages.
  private func check(_ view: AdversaryView, _ observation: Observation, _ means: AttackerMeans) throws -> Int {
    let c = means.model.configuration
    try view.checkLayout(Self.description.name)
    let (messages, rows) = (view.messages.count - 1, c.heads * c.headDimension)
    let blocks = observation.blocks
    guard blocks.first == 0, observation.values.columns == blocks.count * c.hiddenSize, observation.values.rows == messages * rows,
      blocks.allSatisfy({ $0 >= 0 && $0 < c.blocks })
    else {
      throw Fault(
        .invalidData,
        "\(Self.description.name): gradients [\(observation.values.rows), \(observation.values.columns)] of blocks \(blocks), expected [\(messages) messages of \(rows), blocks of \(c.hiddenSize)] from block 0 on",
        hint: "attack with the checkpoint that the view names")
    }
    return rows
  }

  private func finite(_ gradient: Matrix, _ message: Int) throws -> Matrix {
    guard gradient.values.allSatisfy({ $0.magnitude < 1e15 }) else {
      throw Fault(.invalidData, "\(Self.description.name): the gradients of message \(message) are not finite")
    }
    return gradient
  }

  private func space(_ gradient: Matrix, _ most: Int, _ message: Int, _ compute: Compute) throws(NoSpan) -> RowSpace {
    let bound = min(gradient.rows, gradient.columns)
    if most >= bound { throw NoSpan(message: message, reason: "\(most) positions, and its gradient has a rank of at most \(bound)") }
    guard let space = RowSpace(gradient, most: most, compute) else { throw NoSpan.flat(message, most) }
    return space
  }

  private func texts(
    _ gradient: Matrix, _ table: Matrix, _ bag: [Int32], _ span: RowSpace, _ lengths: [Int], _ means: AttackerMeans,
    progress: (Double) throws -> Void
  ) throws -> [[Int32]] {
    let model = means.model
    let next = model.stack.blocks[1]
    let search = SpanSearch(
      block: model.stack[0..<1].merged(), model: model, span: span, norm: (next.attentionNorm, next.epsilon), bag: bag,
      threshold: bound(stateThreshold, span))
    let firsts = Array(Self.firstTokens(bag, means).prefix(firstTokens))
    let pairs = FirstPositions.pairs(gradient, bag: bag, inputs: table, means)
    return try search.texts(pairs, firsts, lengths.filter { $0 > 2 }, progress: progress)
  }

  /// What a text may begin with, likely ones first: beginnings of public passages, the bag, then all tokens by frequency.
  private static func firstTokens(_ bag: [Int32], _ means: AttackerMeans) -> [Int32] {
    var counts: [Int32: Int] = [:]
    for token in means.auxiliary.compactMap(\.first) { counts[token, default: 0] += 1 }
    let beginnings = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }.map(\.key)
    var seen: Set<Int32> = []
    return (beginnings + bag + Unigram.of(means).ranked).filter { seen.insert($0).inserted }
  }

  /// A gradient that these explain but for this share of its norm is theirs alone.
  private static let rounding = 1e-3
  /// Documents of a message whose texts are tried in every order.
  private static let mostReordered = 4

  /// The texts, one a document, as long as they explain the gradient: states much like earlier ones fit the span beyond a text's end, and lengths say
  /// where that is. Without their last tokens, or whole where noise on ∂L/∂h_B gave these a trace. Nil where no order of the texts explains it.
  private static func verified(_ texts: [[Int32]], _ lengths: [Int], explaining gradient: Matrix, _ labels: LastLabels) -> (
    texts: [[Int32]], isWhole: Bool
  )? {
    guard texts.count >= lengths.count, lengths.allSatisfy({ $0 > 2 }) else { return nil }
    let longest = lengths.indices.sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    let ranked = texts.prefix(lengths.count).sorted { $0.count > $1.count }
    func fitting(_ chosen: [[Int32]], missing: Int) -> [[Int32]]? {
      let whole = zip(longest, chosen).allSatisfy { $1.count >= lengths[$0] - missing }
      let cut = zip(longest, chosen).map { Array($1.prefix(lengths[$0] - missing)) }
      guard whole, labels.misfit(gradient, cut) < rounding else { return nil }
      var out = [[Int32]](repeating: [], count: lengths.count)
      for (document, text) in zip(longest, cut) { out[document] = text }
      return out
    }
    func orders(_ left: [[Int32]], after chosen: [[Int32]], missing: Int) -> [[Int32]]? {
      if left.isEmpty { return fitting(chosen, missing: missing) }
      for i in left.indices {
        var rest = left
        let next = rest.remove(at: i)
        if let found = orders(rest, after: chosen + [next], missing: missing) { return found }
      }
      return nil
    }
    for missing in [1, 0] {
      let found = lengths.count <= mostReordered ? orders(ranked, after: [], missing: missing) : fitting(ranked, missing: missing)
      if let found { return (found, missing == 0) }
    }
    return nil
  }

  /// Which text is which document's: pairs whose lengths fit best first; documents that are left get an empty one. Without noise a text ends one
  /// token before its document does, with noise on ∂L/∂h_B together with it.
  private static func assigned(_ texts: [[Int32]], _ lengths: [Int]) -> [[Int32]] {
    let missing = (texts.map(\.count).max() ?? 0) >= (lengths.max() ?? 0) ? 0 : 1
    var out = [[Int32]](repeating: [], count: lengths.count)
    let pairs = texts.indices.flatMap { text in lengths.indices.map { (text: text, document: $0) } }
    func misfit(_ pair: (text: Int, document: Int)) -> Int { abs(texts[pair.text].count + missing - lengths[pair.document]) }
    let ranked = pairs.sorted { misfit($0) == misfit($1) ? ($0.text, $0.document) < ($1.text, $1.document) : misfit($0) < misfit($1) }
    var (usedTexts, usedDocuments): (Set<Int>, Set<Int>) = ([], [])
    for pair in ranked where !usedTexts.contains(pair.text) && !usedDocuments.contains(pair.document) {
      out[pair.document] = Array(texts[pair.text].prefix(lengths[pair.document]))
      usedTexts.insert(pair.text)
      usedDocuments.insert(pair.document)
    }
    return out
  }

  /// Normalised embeddings of the whole vocabulary [V, C]: what block 0 multiplies with W_Q.
  private static func inputs(_ means: AttackerMeans) -> Matrix {
    let (model, block) = (means.model, means.model.stack.blocks[0])
    let embeddings = Matrix(
      rows: model.embedding.rows, columns: model.embedding.columns, values: model.embedding.values(model.compute))
    return model.compute.rmsNorm(embeddings, weight: block.attentionNorm, epsilon: block.epsilon)
  }
}
