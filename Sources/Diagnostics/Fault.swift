/// An error of the world: a file, a configuration, the network, an untrusted tensor.
///
/// Programmer errors trap with `precondition`; everything that a user or a hostile file can cause is a `Fault`.
/// It says what was expected and what was found (`message`), where (`location`, for example `attacks/x.yaml:12`), and the next step (`hint`).
package struct Fault: Error, Sendable, Equatable {
  /// Process exit codes, from sysexits.h where it has one.
  package enum Code: Int32, Sendable {
    case failure = 1
    case aboveThreshold = 10
    case usage = 64
    case invalidData = 65
    case missingInput = 66
    case unavailable = 69
    case internalError = 70
    case cannotCreate = 73
    case inputOutput = 74
    case interrupted = 130
  }

  package var code: Code
  package var message: String
  package var location: String?
  package var hint: String?

  package init(_ code: Code, _ message: String, at location: String? = nil, hint: String? = nil) {
    self.code = code
    self.message = message
    self.location = location
    self.hint = hint
  }

  /// The same fault with a location, if it has none yet.
  package func located(at place: String) -> Fault {
    location == nil ? Fault(code, message, at: place, hint: hint) : self
  }
}

extension Fault: CustomStringConvertible {
  /// `location: message — hint` on one line; control characters of untrusted text are escaped.
  package var description: String {
    let parts = [location, message].compactMap { $0 }.joined(separator: ": ")
    return escapingControls(hint.map { "\(parts) — \($0)" } ?? parts)
  }
}

/// Replaces C0/C1 controls, DEL and bidirectional overrides by `\u{…}`, so that text from a file cannot drive the terminal.
package func escapingControls(_ text: String) -> String {
  var out = ""
  out.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069:
      out += "\\u{\(String(scalar.value, radix: 16))}"
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out
}
