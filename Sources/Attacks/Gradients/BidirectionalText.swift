import Foundation
package import Kernels
import Llama

/// One soft text that has to explain both what a client sent and what it returned: X = softmax(Z/τ) E goes forward through the client's first blocks,
/// and the same weights, moved by one position, are the labels whose gradient came back.
package struct BidirectionalText: EmbeddingParametrisation {
  private var text: SoftTokens
  /// Nil for a text of one token, which has no label.
  private let backward: BackwardTerm?
  /// The head's matrix [V, C].
  private let head: Matrix
  private var softening: Float = 1

  /// - Parameters:
  ///   - text: of one document.
  ///   - head: the head's matrix [V, C].
  package init(_ text: SoftTokens, _ backward: BackwardTerm?, head: Matrix) {
    (self.text, self.backward, self.head) = (text, backward, head)
  }

  package var values: [Float] {
    get { text.values }
    set { text.values = newValue }
  }

  /// argmax Z of every position.
  package var tokens: [Int32] { text.tokens }

  /// [T, K] flat.
  var candidates: [Int32] { text.candidates }

  /// X [T, C] of the current values.
  func found(_ compute: Compute) -> Matrix { text.found(compute) }

  /// S [T, K].
  func weights(_ compute: Compute) -> Matrix {
    let z = Matrix(rows: text.values.count / text.count, columns: text.count, values: text.values)
    return compute.mixture(z, ids: candidates, temperature: text.temperature, table: head.values, columns: head.columns).weights
  }

  /// The text that has the token at `places[t]` of list t at position t and no other, under the loss of the last step.
  func hard(_ places: [Int]) -> BidirectionalText {
    var out = self
    out.softening = InversionLoop.hardest
    out.text.values = [Float](repeating: 0, count: text.values.count)
    // So far ahead that the others' weights are 0 in f32.
    for (t, place) in places.enumerated() { out.text.values[t * text.count + place] = 200 * text.temperature }
    return out
  }

  package mutating func embeddings(_ compute: Compute) -> Matrix { text.embeddings(compute) }

  package func gradient(_ dX: Matrix, _ compute: Compute) -> (values: [Float], penalty: Double) {
    var (values, penalty) = text.gradient(dX, compute)
    let k = text.count
    guard let backward, text.values.count > k else { return (values, penalty) }
    // Token t + 1 is the label of row t, so the first token is nobody's label.
    let ids = Array(text.candidates.dropFirst(k))
    let z = Matrix(rows: ids.count / k, columns: k, values: Array(text.values.dropFirst(k)))
    let (weights, mixed) = compute.mixture(z, ids: ids, temperature: text.temperature, table: head.values, columns: head.columns)
    let (nats, dMixed) = backward.evaluate(mixed, softening: softening)
    let dz = compute.mixtureBackward(weights, ids: ids, temperature: text.temperature, table: head.values, dMixed: dMixed)
    for (i, d) in dz.values.enumerated() { values[k + i] += d }
    return (values, penalty + nats)
  }

  package mutating func stepped(_ done: Double, _ compute: Compute) {
    text.stepped(done, compute)
    softening = Float(pow(Double(InversionLoop.hardest), done))
  }
}
