import Foundation
import HDF5

/// `/candidates` of guesses.h5.
extension TokenPosterior {
  private static var names: [String] { ["candidates/ids", "candidates/log_probabilities", "candidates/rest_log_probability"] }

  func write(to root: HDF5Group) throws {
    precondition(width >= 1 && ids.count == positions * width && logProbabilities.count == ids.count, "candidates of unequal shapes")
    let candidates = try RowAppender<Int32>(Self.names[0], in: root, columns: width, storage: HDF5Storage(deflate: 4))
    try candidates.append(ids)
    try candidates.finish()
    let logs = try RowAppender<Float>(Self.names[1], in: root, columns: width)
    try logs.append(logProbabilities)
    try logs.finish()
    let rest = try RowAppender<Float>(Self.names[2], in: root, columns: nil)
    try rest.append(restLogProbability)
    try rest.finish()
  }

  /// nil if the file lists no candidates; otherwise exactly `count` positions of K ≥ 1 candidates.
  static func read(_ root: HDF5Group, count: Int) throws -> TokenPosterior? {
    guard try root.contains("candidates") else { return nil }
    let (ids, logs, rest) = (try root.dataset(names[0]), try root.dataset(names[1]), try root.dataset(names[2]))
    guard ids.shape.count == 2, ids.rows == count, ids.columns >= 1 else {
      throw ids.invalid("shape \(ids.shape), expected [\(count), K] with K ≥ 1")
    }
    guard logs.shape == ids.shape else { throw logs.invalid("shape \(logs.shape), expected that of ids, \(ids.shape)") }
    guard rest.shape == [count] else { throw rest.invalid("shape \(rest.shape), expected [\(count)]") }
    let posterior = TokenPosterior(
      width: ids.columns,
      ids: try ids.integers().map { id in
        guard let token = Int32(exactly: id), token >= -1 else { throw ids.invalid("candidate \(id), expected a token id or -1") }
        return token
      }, logProbabilities: try logs.floats(), restLogProbability: try rest.floats())
    for position in 0..<count {
      let mass = posterior.mass(at: position)
      guard mass <= 1.01 else {  // NaN fails as well
        throw logs.invalid("the probabilities at row \(position) add up to \(mass), expected at most 1")
      }
    }
    return posterior
  }

  /// Listed candidates' probabilities and the rest's; NaN if one of them is NaN. Padding (-1) counts nothing, whatever its value.
  private func mass(at position: Int) -> Double {
    var mass = exp(Double(restLogProbability[position]))
    for index in position * width..<(position + 1) * width where ids[index] >= 0 { mass += exp(Double(logProbabilities[index])) }
    return mass
  }
}
