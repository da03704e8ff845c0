import Audit
import Checkpoints
import Kernels
import Llama
import SplitLearning

/// One training step a message, on states that were sent already: the client's loss is that of the next token, summed over the message and divided
/// by its labels; ∂L/∂h_B goes back protected, and the server and the client's own blocks carry it on. Nothing is updated.
struct TrainingExchange {
  private let head: OutputHead
  private let output: TrainableStack
  private let server: TrainableStack
  /// The client's blocks, for ∂L/∂W_Q; nil when it is not recorded.
  private let input: TrainableStack?
  private let embedding: Weight
  private let recorded: Int
  private let protector: any StateProtector

  init(_ setting: SplitExchange.Setting) {
    let (model, points) = (setting.model, setting.points)
    let blocks = model.configuration.blocks
    head = model.head
    embedding = model.embedding
    output = TrainableStack(running: model.stack[blocks - points.output..<blocks])
    server = TrainableStack(running: model.stack[points.input..<blocks - points.output])
    let wantsQueries = setting.channels.contains(.queryWeightGradients)
    input = wantsQueries ? TrainableStack(running: model.stack[0..<points.input], ofQueries: true) : nil
    recorded = min(setting.capture.clientBlocks, points.input)
    protector = setting.gradientProtector ?? Unprotected()
  }

  /// - Parameters:
  ///   - documents: identifiers and tokens of the message.
  ///   - sent, returned: h̃_A and h_B [N, C].
  /// - Returns: ∂L/∂h_B as sent and ∂L/∂h_A [N, C]; ∂L/∂W_Q of the recorded client blocks side by side [H·D, blocks · C].
  func step(_ documents: [(id: UInt64, tokens: [Int32])], sent: Matrix, returned: Matrix) -> (
    output: Matrix, input: Matrix, queries: Matrix?
  ) {
    let batch = PackedBatch(lengths: documents.map(\.tokens.count))
    let tokens = documents.flatMap(\.tokens)
    let (last, tape) = output.forward(returned, batch)
    let (_, _, dx) = head.loss(last, labels: tokens, batch: batch)
    var unused = output.zeroGradients
    let clean = output.backward(dx, tape, gradients: &unused)
    let ids = documents.flatMap { document in document.tokens.map { _ in document.id } }
    let outputGradient = protector.protect(clean, sequences: ids, positions: batch.positions)
    let (_, serverTape) = server.forward(sent, batch)
    unused = server.zeroGradients
    let inputGradient = server.backward(outputGradient, serverTape, gradients: &unused)
    guard let input, recorded > 0 else { return (outputGradient, inputGradient, nil) }
    // The client goes back through its own clean states: noise is added to what it sends, not to what it keeps.
    let (_, inputTape) = input.forward(embedding.gather(tokens), batch)
    var gradients = input.zeroGradients
    _ = input.backward(inputGradient, inputTape, gradients: &gradients)
    let parts = (0..<recorded).map { gradients[$0].weights[.query]! }
    var queries = Matrix(rows: parts[0].rows, columns: recorded * parts[0].columns)
    for r in 0..<queries.rows { queries[row: r] = parts.flatMap { $0[row: r] }[...] }
    return (outputGradient, inputGradient, queries)
  }
}
