import Audit
import Diagnostics
import Foundation
import TestSupport
import Testing

/// Mutated and cut files are parsed or refused. Files written here (checksummed metadata) and by h5py (none) go through the same mill; the test
/// runs in a process of its own, so that a trap is one failure and not the end of the run.
@Suite struct FuzzTests {
  @Test(arguments: ["view.h5", "view-variant.h5", "guesses-candidates.h5", "own-view.h5", "own-guesses.h5"], [1, 2])
  func `mutations never trap`(name: String, seed: Int) async {
    await #expect(processExitsWith: .success) { [name, seed] in
      let scratch = try Scratch()
      let path = scratch.file("f.h5")
      var source = Fixture.path("hdf5/\(name)")
      if name.hasPrefix("own") {
        source = scratch.file(name)
        if name == "own-view.h5" {
          try ViewFile.write(Samples.view, to: source, deflate: 9)
        } else {
          try Samples.guesses(candidates: true).write(to: source)
        }
      }
      let valid = try Data(contentsOf: URL(filePath: source))
      var generator = SplitMix(state: UInt64(seed) &* 1000 &+ UInt64(valid.count))
      for _ in 0..<250 {
        try mutate(valid, using: &generator).write(to: URL(filePath: path))
        do {
          if name.contains("view") { _ = try ViewFile.read(path) } else { _ = try GuessesFile.read(path) }
        } catch let fault as Fault {
          #expect(fault.code == .invalidData, "\(fault)")
        }
      }
    }
  }
}
