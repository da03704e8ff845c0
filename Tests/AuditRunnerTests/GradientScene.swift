import Attacks
import Audit
import AuditRunner
import Checkpoints
import Defenses
import Kernels
import Llama
import PrivateText
import Privacy
import SplitLearning
import TestSupport

/// A client's gradient times a factor, clipped text by text, with Gaussian noise.
struct GradientLaw: StateProtector {
  var factor: Float = 1
  var clip: Double?
  var sigma = 0.0

  var statement: NoiseStatement { NoiseStatement(defense: "test", law: sigma > 0 ? .gaussian : .none, sigma: sigma, clip: clip) }

  func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix {
    var out = states
    let random = CounterRandom(seed: 4, stream: "test gradients")
    for rows in Dictionary(grouping: 0..<states.rows, by: { sequences[$0] }).values {
      let norm = rows.reduce(0.0) { $0 + states[row: $1].reduce(0.0) { $0 + Double($1 * $1) } }.squareRoot() * Double(factor)
      let scale = factor * Float(min(1, (clip ?? .infinity) / norm))
      for r in rows {
        let draws = random.normals(item: sequences[r] << 32 | UInt64(positions[r]), count: out.columns)
        for c in 0..<out.columns { out[r, c] = states[r, c] * scale + Float(sigma * draws[c]) }
      }
    }
    return out
  }
}

/// One training exchange of random texts on a tiny model, as the server sees it.
struct GradientScene {
  let model: LlamaModel
  var documents: [[Int32]]
  var means: AttackerMeans

  /// Texts of `lengths` tokens.
  init(_ name: String = "tiny-gqa", lengths: [Int], seed: UInt64 = 5) throws {
    model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/\(name)")), compute: Compute(threads: 1))
    var generator = CounterRandom(seed: seed, stream: "documents").generator()
    let vocabulary = Int32(model.configuration.vocabularySize)
    func text(_ n: Int) -> [Int32] { (0..<n).map { _ in Int32.random(in: 0..<vocabulary, using: &generator) } }
    documents = lengths.map(text)
    means = AttackerMeans(
      model: model, auxiliary: (0..<20).map { _ in text(20) }, excluded: [], seed: 1, memory: AttackerMemory())
  }

  /// - Parameters:
  ///   - sigma: of Gaussian noise on the states that are sent.
  ///   - law: of the gradients that are returned.
  func view(
    _ points: PartitionPoints, _ channels: [Channel], batch: Int = 1, sigma: Double = 0, law: GradientLaw? = nil
  ) throws -> AdversaryView {
    let statistics = try StateStatistics(rows: [1, 2, 3, 4], channels: 2)
    let plan = sigma > 0 ? DefensePlan(name: "gaussian", noise: .sigma(sigma)) : DefensePlan(name: "none")
    let defense = try DefenseCatalog.make(plan).prepared(for: statistics, seed: 1)
    var setting = SplitExchange.Setting(model, points, defense, channels: channels)
    setting.capture.batch = batch
    (setting.gradientProtector, setting.gradientStatement) = (law, law?.statement ?? .none)
    let identity = ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: "")
    let sent = documents.enumerated().map { PrivateDocument(id: "\($0)", text: "", tokens: $1) }
    return try SplitExchange.view(sent, setting, identity: identity).view
  }

  static let cut: [Channel] = [.inputHiddenStates, .outputHiddenStates, .outputGradients]

  func attack(_ name: String, _ settings: [String: SettingValue] = [:], on view: AdversaryView) throws -> Reconstruction {
    try AttackCatalog.make(name, settings: settings).reconstruct(view, with: means) { _ in }
  }

  /// Share of all tokens that were found.
  func accuracy(_ found: Reconstruction) -> Double {
    let pairs = zip(documents, found.tokens).flatMap { zip($0, $1) }
    return Double(pairs.count { $0 == $1 }) / Double(pairs.count)
  }

  /// Share of labels, tokens from the second of a document on, that were found.
  func labels(_ found: Reconstruction) -> Double {
    let pairs = zip(documents, found.tokens).flatMap { zip($0.dropFirst(), $1.dropFirst()) }
    return Double(pairs.count { $0 == $1 }) / Double(pairs.count)
  }
}
