import Audit
import Diagnostics
import HDF5
import TestSupport
import Testing

@Suite struct GuessesFileTests {
  let scratch = try! Scratch()

  @Test(arguments: [false, true]) func `guesses come back`(candidates: Bool) throws {
    var guesses = Samples.guesses(candidates: candidates)
    guesses.viewSHA256 = String(repeating: "4", count: 64)
    guesses.reconstruction.cost = AttackCost(seconds: 1.5, candidateForwards: 77)
    try guesses.write(to: scratch.file("g.h5"))
    #expect(try GuessesFile.read(scratch.file("g.h5")) == guesses)
  }

  @Test func `guesses of h5py are read`() throws {
    #expect(try GuessesFile.read(Fixture.path("hdf5/guesses.h5")) == Samples.guesses(candidates: false))
    #expect(try GuessesFile.read(Fixture.path("hdf5/guesses-candidates.h5")) == Samples.guesses(candidates: true))
  }

  @Test func `guesses about another view are refused`() throws {
    let guesses = Samples.guesses(candidates: true)
    #expect(try guesses.validated(runID: "run-7", offsets: Samples.offsets, vocabulary: 49152) == guesses)
    #expect(fault { try guesses.validated(runID: "run-8", offsets: Samples.offsets, vocabulary: 49152) }?.code == .invalidData)
    #expect(fault { try guesses.validated(runID: "run-7", offsets: [0, 9], vocabulary: 49152) }?.code == .invalidData)
    #expect(fault { try guesses.validated(runID: "run-7", offsets: Samples.offsets, vocabulary: 100) }?.code == .invalidData)
    // All cells of a sweep have one run's number and the same documents: the file decides, where the guesses name it.
    func another(_ digest: String?) -> Fault? {
      var named = guesses
      named.viewSHA256 = digest
      return fault { try named.validated(runID: "run-7", offsets: Samples.offsets, vocabulary: 49152, viewSHA256: "ab") }
    }
    #expect(another("cd")?.code == .invalidData && another("ab") == nil && another(nil) == nil)
  }

  @Test(arguments: [
    "external-link", "soft-link", "virtual", "external-storage", "huge", "huge-strings", "plugin-filter", "compound", "three-dimensions",
    "group",
    "large-chunk", "bomb", "cycle",
  ])
  func `hostile guesses are refused`(name: String) {
    #expect(fault { try GuessesFile.read(Fixture.path("hdf5/hostile-\(name).h5")) }?.code == .invalidData)
  }

  @Test func `probabilities must be probabilities`() throws {
    for (logarithm, rest, accepted) in [
      (Float.nan, Float(-1), false), (-1, .nan, false), (0.1, -9, false), (.infinity, -9, false), (-.infinity, 0, true),
      (0, -.infinity, true),
    ] {
      var guesses = Samples.guesses(candidates: true)
      guesses.reconstruction.posterior?.logProbabilities[6] = logarithm
      guesses.reconstruction.posterior?.restLogProbability[3] = rest
      try guesses.write(to: scratch.file("g.h5"))
      #expect((fault { try GuessesFile.read(scratch.file("g.h5")) } == nil) == accepted, "\(logarithm) \(rest)")
    }
  }

  @Test func `negative tokens are refused`() throws {
    var guesses = Samples.guesses(candidates: false)
    guesses.reconstruction.tokens[0][1] = -1
    try guesses.write(to: scratch.file("g.h5"))
    #expect(fault { try GuessesFile.read(scratch.file("g.h5")) }?.code == .invalidData)
  }
}
