import Diagnostics
import HDF5

/// guesses.h5: what an attack of any language made of a view.
///
/// Root attributes `encoding-type="fedsea-guesses"`, `encoding-version`, `run_id` (that of the view), `attack`, and optionally `view_sha256`,
/// `seconds`, `candidate_forwards`; `/samples/offsets` int64 [documents + 1], `/samples/token_ids` int32 [N]; and, all three or none,
/// `/candidates/ids` int32 [N, K], `/candidates/log_probabilities` f32 [N, K], `/candidates/rest_log_probability` f32 [N].
package struct GuessesFile: Sendable, Equatable {
  package var runID: String
  /// Kebab-case name of the attack.
  package var attack: String
  /// Lowercase hex SHA-256 of the view.h5 that was attacked; nil if the attack did not say.
  package var viewSHA256: String?
  /// As in `AdversaryView`.
  package var offsets: [Int]
  package var reconstruction: Reconstruction

  package init(runID: String, attack: String, viewSHA256: String? = nil, offsets: [Int], reconstruction: Reconstruction) {
    (self.runID, self.attack, self.viewSHA256) = (runID, attack, viewSHA256)
    (self.offsets, self.reconstruction) = (offsets, reconstruction)
  }

  static let encoding = "fedsea-guesses"

  /// Writes guesses.h5, whole or not at all. Traps if tokens or candidates do not have the shape of `offsets`.
  /// Throws `.cannotCreate`, `.inputOutput`.
  package func write(to path: String) throws {
    let (tokens, count) = (reconstruction.tokens, offsets.last ?? 0)
    precondition(tokens.count == offsets.count - 1, "guesses for \(tokens.count) documents, expected \(offsets.count - 1)")
    let file = try HDF5File.create(path)
    try file.root.setEncoding(Self.encoding)
    try file.root.setAttribute("run_id", runID)
    try file.root.setAttribute("attack", attack)
    if let viewSHA256 { try file.root.setAttribute("view_sha256", viewSHA256) }
    try file.root.setAttribute("seconds", reconstruction.cost.seconds)
    try file.root.setAttribute("candidate_forwards", Int64(reconstruction.cost.candidateForwards))
    let ends = try OffsetsAppender(in: file.root)
    let ids = try RowAppender<Int32>("samples/token_ids", in: file.root, columns: nil, storage: HDF5Storage(deflate: 4))
    for (document, guess) in tokens.enumerated() {
      precondition(guess.count == offsets[document + 1] - offsets[document], "document \(document): \(guess.count) guesses")
      try ends.append(guess.count)
      try ids.append(guess)
    }
    try ends.finish()
    try ids.finish()
    if let posterior = reconstruction.posterior {
      precondition(posterior.positions == count, "a posterior of \(posterior.positions) positions for \(count) tokens")
      try posterior.write(to: file.root)
    }
    try file.close()
  }

  /// Reads untrusted guesses, for example those of an external program: shapes, ids ≥ 0, log-probabilities that are no NaN and whose mass is at
  /// most 1. Throws `.missingInput`, or `.invalidData` for whatever is not as `GuessesFile` says.
  package static func read(_ path: String) throws -> GuessesFile {
    let file = try HDF5File.open(path)
    let root = file.root
    try root.requireEncoding(encoding)
    let offsets = try root.readOffsets()
    let count = offsets[offsets.count - 1]
    let packed = try root.readTokens("samples/token_ids", count: count)
    let tokens = (0..<offsets.count - 1).map { Array(packed[offsets[$0]..<offsets[$0 + 1]]) }
    let guesses = GuessesFile(
      runID: try root.text("run_id"), attack: try root.text("attack"),
      viewSHA256: try root.hasAttribute("view_sha256") ? root.text("view_sha256") : nil, offsets: offsets,
      reconstruction: Reconstruction(tokens: tokens, posterior: try TokenPosterior.read(root, count: count), cost: try readCost(root)))
    try file.close()
    return guesses
  }

  /// The same guesses, after a check that they are about the view of run `runID` with document `offsets` over `vocabulary` tokens, and of the file with
  /// `viewSHA256`: all cells of a sweep have one run's number and the same documents.
  package func validated(runID: String, offsets: [Int], vocabulary: Int, viewSHA256 digest: String? = nil) throws -> GuessesFile {
    if let digest, let viewSHA256, viewSHA256 != digest {
      throw Fault(
        .invalidData, "the guesses are about another view, of SHA-256 \(viewSHA256.prefix(12))…", hint: "another cell of a sweep?")
    }
    guard self.runID == runID else { throw Fault(.invalidData, "the guesses are about run \(self.runID), the view about run \(runID)") }
    guard self.offsets == offsets else { throw Fault(.invalidData, "the guesses' /samples/offsets are not those of the view") }
    let known = Int32(clamping: vocabulary)
    for id in reconstruction.tokens.joined() where id >= known {
      throw Fault(.invalidData, "token id \(id) is outside of a vocabulary of \(vocabulary)")
    }
    for id in reconstruction.posterior?.ids ?? [] where id >= known {
      throw Fault(.invalidData, "candidate \(id) is outside of a vocabulary of \(vocabulary)")
    }
    return self
  }

  private static func readCost(_ root: HDF5Group) throws -> AttackCost {
    var cost = AttackCost()
    if try root.hasAttribute("seconds") { cost.seconds = try root.real("seconds") }
    if try root.hasAttribute("candidate_forwards") { cost.candidateForwards = Int(try root.integer("candidate_forwards")) }
    guard cost.seconds >= 0, cost.seconds.isFinite, cost.candidateForwards >= 0 else {
      throw root.invalid("the cost of the attack is negative")
    }
    return cost
  }
}
