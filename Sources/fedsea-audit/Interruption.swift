import Diagnostics
import Dispatch
import Foundation
import Synchronization

/// Turns Ctrl-C and kill into a fault that long work throws at its next step, so that files are left whole; a second signal kills.
final class Interruption {
  private let sources: [any DispatchSourceSignal]
  private let fault: Fault

  /// - Parameters:
  ///   - kept: what is there after an interruption.
  ///   - hint: how to go on.
  init(kept: String, hint: String) {
    fault = Fault(.interrupted, "interrupted; \(kept)", hint: hint)
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
    if box.isRaised { throw fault }
  }

  private final class FlagBox: Sendable {
    private let count = Atomic<Int>(0)
    var isRaised: Bool { count.load(ordering: .relaxed) > 0 }
    func raise(_ number: Int32) {
      if count.add(1, ordering: .relaxed).newValue > 1 { exit(128 + number) }
    }
  }
}
