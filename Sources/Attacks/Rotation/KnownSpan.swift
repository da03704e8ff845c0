import Foundation
import Kernels

/// What is known of a secret rotation y = h Q (Q [C, C], orthogonal): r orthonormal directions eᵢ of plain states, and where Q takes each, fᵢ = eᵢ Q.
///
/// Of a state this leaves r + 1 invariants: its coordinates, h·eᵢ = y·fᵢ, and the length of what lies outside the span, which any completion of Q keeps.
/// They hold all that the Gram matrix of the known states and the new one says, in an orthonormal basis; ‖h's invariants − y's‖ is the least distance
/// ‖h Q − y‖ over all rotations that agree with what is known. At r = C it is the plain distance.
struct KnownSpan: Sendable {
  /// C.
  let channels: Int
  /// r.
  private(set) var rank = 0
  /// How far the worst known direction stands out of the others, (0, 1]: its error is the states' relative rounding over this.
  private(set) var conditioning = 1.0
  /// eᵢ and fᵢ as rows, [r, C].
  private var plain: [Double] = []
  private var secret: [Double] = []

  /// A single state adds a direction when at least this share of it lies outside the span: less would be magnified rounding.
  private static let leastShare = 0.03
  /// Many states know a direction whose singular value, of unit rows, is this many times their rounding.
  private static let leastOverRounding = 1e3

  /// Nothing known: the invariant is the length of a state.
  init(channels: Int) { self.channels = channels }

  /// From known states `h` [N, C] and what was observed of them, `y` [N, C], by orthogonal Procrustes on rows of unit length, so that the few first
  /// positions whose states are ten times as long as all others do not drown them. Rows that have no direction (0, overflow) do not count.
  /// - Parameter rounding: of the states along one direction, over their length.
  init(known h: Matrix, observed y: Matrix, rounding: Double, _ compute: Compute) {
    channels = h.columns
    let rows = (0..<h.rows).filter { Self.isUsable(h[row: $0]) && Self.isUsable(y[row: $0]) }
    func unit(_ x: Matrix) -> Matrix {
      var out = compute.gather(x, rows: rows[...])
      for r in 0..<out.rows {
        let length = Self.length(out[row: r])
        for c in 0..<out.columns { out[r, c] = Float(Double(out[r, c]) / length) }
      }
      return out
    }
    let found = compute.procrustes(unit(h), unit(y))
    // Energies are squared singular values.
    rank = found.energies.prefix { $0.squareRoot() > Self.leastOverRounding * rounding }.count
    if rank > 0 { conditioning = min(1, found.energies[rank - 1].squareRoot()) }
    plain = Array(found.from.prefix(rank * channels))
    secret = Array(found.to.prefix(rank * channels))
  }

  /// Whether nothing of a state lies outside.
  var isWhole: Bool { rank == channels }

  /// Adds the direction in which one more known pair leaves the span, by Gram and Schmidt, unless too little of it does.
  mutating func learn(_ h: ArraySlice<Float>, _ y: ArraySlice<Float>) {
    guard !isWhole, Self.isUsable(h), Self.isUsable(y) else { return }
    let (e, f) = (Self.remainder(h, plain, rank), Self.remainder(y, secret, rank))
    let share = min(e.share, f.share)
    guard share > Self.leastShare else { return }
    plain += e.direction
    secret += f.direction
    rank += 1
    conditioning = min(conditioning, share)
  }

  /// The share of `x` outside of the first `rank` rows of `basis`, and its direction.
  private static func remainder(_ x: ArraySlice<Float>, _ basis: [Double], _ rank: Int) -> (share: Double, direction: [Double]) {
    let length = length(x)
    var rest = x.map { Double($0) / length }
    // Twice is enough: the second round removes what rounding left of the first.
    for _ in 0..<2 {
      for i in 0..<rank {
        let direction = basis[i * rest.count..<(i + 1) * rest.count]
        let along = zip(rest, direction).reduce(0) { $0 + $1.0 * $1.1 }
        for (c, value) in direction.enumerated() { rest[c] -= along * value }
      }
    }
    let share = rest.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return (share, rest.map { $0 / max(share, .leastNormalMagnitude) })
  }

  /// ‖x‖, summed in double precision.
  static func length(_ x: ArraySlice<Float>) -> Double { x.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }

  /// Whether a state has a direction, and squared distances to it are finite in Float.
  static func isUsable(_ x: ArraySlice<Float>) -> Bool { (1e-15...1e15).contains(length(x)) }
}

extension KnownSpan {
  /// The invariants of states in the plain basis, [B, C] → [B, r + 1].
  var ofPlain: StateFeature { feature(plain) }
  /// The same of observed states.
  var ofObserved: StateFeature { feature(secret) }

  private func feature(_ basis: [Double]) -> StateFeature {
    let directions = Matrix(rows: rank, columns: channels, values: basis.map { Float($0) })
    return StateFeature(name: "within \(rank) directions") { states, compute in
      var out = Matrix(rows: states.rows, columns: directions.rows + 1)
      var outside = states
      if directions.rows > 0 {
        let coordinates = compute.product(states, directions, transposeB: true)
        compute.product(coordinates, directions, alpha: -1, beta: 1, into: &outside)
        for r in 0..<states.rows { out.values.replaceSubrange(r * out.columns..<(r + 1) * out.columns - 1, with: coordinates[row: r]) }
      }
      for r in 0..<states.rows { out[r, directions.rows] = Float(Self.length(outside[row: r])) }
      return out
    }
  }

  /// eᵢ as rows, [r, C].
  var directions: Matrix { Matrix(rows: rank, columns: channels, values: plain.map { Float($0) }) }

  /// Observed states back in the plain basis, [B, C] → [B, C]: y Qᵀ. Only where all of Q is known.
  func restored(_ observed: Matrix, _ compute: Compute) -> Matrix {
    precondition(isWhole, "\(rank) of \(channels) directions are known")
    let coordinates = compute.product(observed, Matrix(rows: rank, columns: channels, values: secret.map { Float($0) }), transposeB: true)
    return compute.product(coordinates, directions)
  }
}
