import Diagnostics
import Foundation

/// Talk on stderr.
enum Terminal {
  static let isInteractive = isatty(STDERR_FILENO) == 1
  static let hasColor = isInteractive && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

  static func say(_ line: String) { put(line + "\n") }

  /// A log that is full or gone ends no run: what cannot be said is dropped.
  static func put(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

  /// Opens /dev/null for standard streams that the caller has closed, so that no file of ours takes their place; to be called first.
  static func fillClosedStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 { _ = open("/dev/null", O_RDWR) }
  }

  static func red(_ text: String) -> String { hasColor ? "\u{1B}[31m\(text)\u{1B}[0m" : text }
  static func bold(_ text: String) -> String { hasColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  /// Columns of the terminal behind stdout, or nil if it is none.
  static var width: Int? { width(of: STDOUT_FILENO) }

  static func width(of descriptor: Int32) -> Int? {
    guard isatty(descriptor) == 1 else { return nil }
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
  }
}

/// Progress with elapsed time and ETA: one line that rewrites itself on a terminal, a line every few seconds elsewhere.
final class ProgressLine {
  private let started = Date()
  private var shown = Date.distantPast
  private let quiet: Bool

  init(quiet: Bool = false) { self.quiet = quiet }

  /// - Parameter reused: share of the whole that was there before; it tells nothing about the time that the rest takes.
  func show(_ stage: String, fraction: Double, reused: Double = 0) {
    let now = Date()
    guard !quiet, now.timeIntervalSince(shown) >= (Terminal.isInteractive ? 0.1 : 5) else { return }
    shown = now
    let elapsed = now.timeIntervalSince(started)
    let done = fraction - reused
    // The first hundredth is mostly loading, which says little about the rest.
    let eta = done > 0.01 ? ", \(Self.clock(elapsed / done * (1 - fraction))) left" : ""
    let text = "\(Int(fraction * 100)) % \(Self.clock(elapsed))\(eta)  \(escapingControls(stage))"
    let line =
      Terminal.isInteractive ? "\r\u{1B}[2K" + String(text.prefix(max(20, (Terminal.width(of: STDERR_FILENO) ?? 100) - 1))) : text + "\n"
    Terminal.put(line)
  }

  func clear() {
    if !quiet, Terminal.isInteractive { Terminal.put("\r\u{1B}[2K") }
  }

  static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e7 else { return "?" }
    let whole = Int(seconds.rounded())
    return whole < 60 ? "\(whole) s" : "\(whole / 60):\(whole % 60 < 10 ? "0" : "")\(whole % 60)"
  }
}
