import Diagnostics
import Foundation

/// Talk on stderr.
enum Terminal {
  static let isInteractive = isatty(STDERR_FILENO) == 1
  static let hasColor = isInteractive && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

  static func say(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

  static func red(_ text: String) -> String { hasColor ? "\u{1B}[31m\(text)\u{1B}[0m" : text }
  static func bold(_ text: String) -> String { hasColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  /// Columns of the terminal behind stdout, or nil if it is none.
  static var width: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
  }
}

/// Progress with elapsed time and ETA: one line that rewrites itself on a terminal, a line every few seconds elsewhere.
final class ProgressLine {
  private let started = Date()
  private var shown = Date.distantPast
  private let quiet: Bool

  init(quiet: Bool = false) { self.quiet = quiet }

  func show(_ stage: String, fraction: Double) {
    let now = Date()
    guard !quiet, now.timeIntervalSince(shown) >= (Terminal.isInteractive ? 0.1 : 5) else { return }
    shown = now
    let elapsed = now.timeIntervalSince(started)
    let eta = fraction > 0.01 ? ", \(Self.clock(elapsed / fraction * (1 - fraction))) left" : ""
    let text = "\(Int(fraction * 100)) % \(Self.clock(elapsed))\(eta)  \(escapingControls(stage))"
    let line = Terminal.isInteractive ? "\r\u{1B}[2K" + String(text.prefix(max(20, (Terminal.width ?? 100) - 1))) : text + "\n"
    FileHandle.standardError.write(Data(line.utf8))
  }

  func clear() {
    if !quiet, Terminal.isInteractive { FileHandle.standardError.write(Data("\r\u{1B}[2K".utf8)) }
  }

  static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e7 else { return "?" }
    let whole = Int(seconds.rounded())
    return whole < 60 ? "\(whole) s" : "\(whole / 60):\(whole % 60 < 10 ? "0" : "")\(whole % 60)"
  }
}
