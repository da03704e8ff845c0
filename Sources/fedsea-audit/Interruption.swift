import Diagnostics
import Dispatch
import Foundation
import Synchronization

/// Turns Ctrl-C and kill into a fault that long work throws at its next step, so that files are left whole; a second signal kills.
final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init() {
    let flag = FlagBox()
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { flag.raise(number) }
      source.resume()
      return source
    }
    box = flag
  }

  private let box: FlagBox

  /// Throws once a signal has come.
  func check() throws {
    if box.isRaised { throw Fault(.interrupted, "interrupted; finished cells are kept", hint: "the same command goes on from there") }
  }

  private final class FlagBox: Sendable {
    private let count = Atomic<Int>(0)
    var isRaised: Bool { count.load(ordering: .relaxed) > 0 }
    func raise(_ number: Int32) {
      if count.add(1, ordering: .relaxed).newValue > 1 { exit(128 + number) }
    }
  }
}
