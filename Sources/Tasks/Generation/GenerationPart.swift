import Diagnostics

/// A part of a data set that its authors set apart.
package enum GenerationPart: String, Sendable, Hashable, CaseIterable {
  case train, validation, test

  /// Throws `Fault` 65 at `path` if one source is in two parts: what is judged would have been trained on.
  static func refuseSharedSources(_ parts: [[GenerationExample]], at path: String) throws {
    var seen: Set<String> = []
    for part in parts {
      let sources = Set(part.map(\.source))
      if let shared = seen.intersection(sources).min() { throw Fault(.invalidData, "\(shared) is in two parts", at: path) }
      seen.formUnion(sources)
    }
  }
}
