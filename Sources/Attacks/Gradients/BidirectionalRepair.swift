import Kernels
import Llama

/// From a soft text to tokens: wherever descent ended in a mixture, the listed tokens of most weight and those whose embeddings are nearest to the mixture
/// are tried one by one under the loss of the hard text, and the best is kept. A mixture can explain a state as well as the right token does; a
/// wrong token cannot.
struct BidirectionalRepair {
  /// Tokens tried at a position: so many by weight, so many by embedding.
  private static let tried = 8
  /// Weight from which a position is not a mixture.
  private static let sure: Float = 0.99
  /// A changed token moves what is best at the others, so all are looked at again, at most so often.
  private static let sweeps = 3

  let loop: InversionLoop
  let neighbours: EmbeddingNeighbours

  /// - Parameter progress: called after every position; may throw to stop.
  /// - Returns: the tokens, and how many hard texts were evaluated.
  func tokens(_ text: BidirectionalText, progress: () throws -> Void) rethrows -> (tokens: [Int32], evaluations: Int) {
    let compute = loop.blocks.stack.compute
    let (weights, ids) = (text.weights(compute), text.candidates)
    let near = neighbours.nearest(text.found(compute), count: Self.tried)
    var places = (0..<weights.rows).map { Int(argmax(weights[row: $0])) }
    var evaluations = 0
    func nats(_ places: [Int]) -> Double {
      evaluations += 1
      var hard = text.hard(places)
      return loop.evaluate(&hard, softening: InversionLoop.hardest).nats
    }
    var best = nats(places)
    for _ in 0..<Self.sweeps {
      let before = places
      for t in places.indices where weights[t, Int(argmax(weights[row: t]))] < Self.sure {
        let listed = ids[t * weights.columns..<(t + 1) * weights.columns]
        var options = Set(largest(Self.tried, of: Array(weights[row: t])).map(Int.init))
        for token in near[t] { if let place = listed.firstIndex(of: token) { options.insert(place - listed.startIndex) } }
        for place in options.sorted() where place != places[t] {
          var trial = places
          trial[t] = place
          let value = nats(trial)
          if value < best { (best, places) = (value, trial) }
        }
        try progress()
      }
      if places == before { break }
    }
    return (places.enumerated().map { ids[$0 * weights.columns + $1] }, evaluations)
  }
}
