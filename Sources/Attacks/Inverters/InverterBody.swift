package import Kernels
package import Llama

/// The part of an inverter that is not linear: what it adds to the linear reading of a state, [N, d] → [N, d]. It starts as zero, so an
/// inverter begins as good as its linear part.
package enum InverterBody: TrainedLayer {
  case perceptron(PerceptronBody)
  case recurrent(RecurrentBody)

  package enum Tape: Sendable {
    case perceptron(PerceptronBody.Tape)
    case recurrent(RecurrentBody.Tape)
  }

  package func forward(_ x: Matrix, _ batch: PackedBatch, _ compute: Compute) -> (output: Matrix, tape: Tape) {
    switch self {
    case .perceptron(let body):
      let (y, tape) = body.forward(x, compute)
      return (y, .perceptron(tape))
    case .recurrent(let body):
      let (y, tape) = body.forward(x, batch, compute)
      return (y, .recurrent(tape))
    }
  }

  /// Adds the gradients of all tensors; dy [N, d].
  package mutating func backward(_ dy: Matrix, _ tape: Tape, _ compute: Compute) {
    switch (self, tape) {
    case (.perceptron(var body), .perceptron(let tape)):
      body.backward(dy, tape, compute)
      self = .perceptron(body)
    case (.recurrent(var body), .recurrent(let tape)):
      body.backward(dy, tape, compute)
      self = .recurrent(body)
    default: preconditionFailure("the tape of another body")
    }
  }

  package mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    switch self {
    case .perceptron(var layers):
      try layers.visit(prefix + ".mlp", body)
      self = .perceptron(layers)
    case .recurrent(var layers):
      try layers.visit(prefix + ".gru", body)
      self = .recurrent(layers)
    }
  }
}

/// LayerNorm, then dense layers with LayerNorm and ReLU between them (Luo et al. 2025).
package struct PerceptronBody: TrainedLayer {
  var entry: LayerNormLayer
  var dense: [DenseLayer]
  var norms: [LayerNormLayer]

  /// - Parameter widths: of the hidden layers, for example [4d, 8d, 8d, 4d]. Randomness: `random` at items 0, 1, ….
  package init(inputs: Int, widths: [Int], random: CounterRandom) {
    entry = LayerNormLayer(width: inputs)
    let all = [inputs] + widths + [inputs]
    dense = (0..<all.count - 1).map { i in
      DenseLayer(
        inputs: all[i], outputs: all[i + 1], gain: i + 2 == all.count ? 0 : 2.0.squareRoot(), random: random, item: UInt64(i))
    }
    norms = widths.map { LayerNormLayer(width: $0) }
  }

  package struct Tape: Sendable {
    var entry: LayerNormLayer.Tape
    /// Inputs of the dense layers.
    var inputs: [Matrix] = []
    var norms: [LayerNormLayer.Tape] = []
  }

  package func forward(_ x: Matrix, _ compute: Compute) -> (output: Matrix, tape: Tape) {
    let (normed, first) = entry.forward(x)
    var (h, tape) = (normed, Tape(entry: first))
    for i in dense.indices {
      tape.inputs.append(h)
      h = dense[i].forward(h, compute)
      guard i < norms.count else { break }
      let (y, norm) = norms[i].forward(h)
      tape.norms.append(norm)
      h = ReLULayer.forward(y)
    }
    return (h, tape)
  }

  package mutating func backward(_ dy: Matrix, _ tape: Tape, _ compute: Compute) {
    var d = dy
    for i in dense.indices.reversed() {
      if i < norms.count { d = norms[i].backward(ReLULayer.backward(d, output: tape.inputs[i + 1]), tape.norms[i]) }
      d = dense[i].backward(d, input: tape.inputs[i], compute)
    }
    _ = entry.backward(d, tape.entry)
  }

  package mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    try entry.visit(prefix + ".entry", body)
    for i in dense.indices { try dense[i].visit(prefix + ".dense\(i)", body) }
    for i in norms.indices { try norms[i].visit(prefix + ".norm\(i)", body) }
  }
}

/// LayerNorm, two GRUs that read the text forwards and backwards, and a dense layer over both (SIP, in both directions).
package struct RecurrentBody: TrainedLayer {
  var entry: LayerNormLayer
  var forwards: GRULayer
  var backwards: GRULayer
  var exit: DenseLayer

  /// Randomness: `random` at items 0…4.
  package init(inputs: Int, width: Int, random: CounterRandom) {
    entry = LayerNormLayer(width: inputs)
    forwards = GRULayer(inputs: inputs, width: width, reversed: false, random: random, item: 0)
    backwards = GRULayer(inputs: inputs, width: width, reversed: true, random: random, item: 2)
    exit = DenseLayer(inputs: 2 * width, outputs: inputs, gain: 0, random: random, item: 4)
  }

  package struct Tape: Sendable {
    var entry: LayerNormLayer.Tape
    var forwards: GRULayer.Tape
    var backwards: GRULayer.Tape
    var states: Matrix
  }

  package func forward(_ x: Matrix, _ batch: PackedBatch, _ compute: Compute) -> (output: Matrix, tape: Tape) {
    let (normed, norm) = entry.forward(x)
    let (left, leftTape) = forwards.forward(normed, batch, compute)
    let (right, rightTape) = backwards.forward(normed, batch, compute)
    let states = compute.joined([left, right])
    return (exit.forward(states, compute), Tape(entry: norm, forwards: leftTape, backwards: rightTape, states: states))
  }

  package mutating func backward(_ dy: Matrix, _ tape: Tape, _ compute: Compute) {
    let d = compute.split(
      exit.backward(dy, input: tape.states, compute), widths: [Int](repeating: tape.states.columns / 2, count: 2))
    var dx = forwards.backward(d[0], tape.forwards, compute)
    compute.add(&dx, backwards.backward(d[1], tape.backwards, compute))
    _ = entry.backward(dx, tape.entry)
  }

  package mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    try entry.visit(prefix + ".entry", body)
    try forwards.visit(prefix + ".forwards", body)
    try backwards.visit(prefix + ".backwards", body)
    try exit.visit(prefix + ".exit", body)
  }
}
