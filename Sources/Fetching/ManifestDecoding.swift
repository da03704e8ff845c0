import Diagnostics
package import Foundation

extension ArtifactManifest {
  static let maximumManifestBytes = 64 * 1024
  static let maximumArtifactBytes = 1 << 40

  /// Reads, decodes and checks a manifest. Throws `Fault` 66 when it is absent, 65 for anything wrong in it.
  package init(contentsOf file: URL) throws {
    guard let data = FileManager.default.contents(atPath: file.path) else {
      throw Fault(.missingInput, "the manifest cannot be read", at: file.path)
    }
    do { try self.init(json: data) } catch let fault as Fault { throw fault.located(at: file.path) }
  }

  /// Decodes and checks JSON. Throws `Fault` 65.
  package init(json data: Data) throws {
    guard data.count <= ArtifactManifest.maximumManifestBytes else {
      throw Fault(.invalidData, "a manifest has at most \(ArtifactManifest.maximumManifestBytes) bytes, found \(data.count)")
    }
    do {
      let keys = try JSONDecoder().decode(KeyTree.self, from: data)
      try keys.check(CodingKeys.allCases.map(\.rawValue), at: [])
      try keys.check(PackageSource.CodingKeys.allCases.map(\.rawValue), at: ["source"])
      try keys.check(PackageContent.CodingKeys.allCases.map(\.rawValue), at: ["content"])
      self = try JSONDecoder().decode(ArtifactManifest.self, from: data)
    } catch let error as DecodingError {
      throw Fault(.invalidData, "not a valid manifest: \(describe(error))")
    }
    try validate()
  }

  /// Checks every field that later becomes a path, an argument or a size. Throws `Fault` 65.
  package func validate() throws {
    func check(_ holds: Bool, _ message: @autoclosure () -> String) throws {
      if !holds { throw Fault(.invalidData, message()) }
    }
    try check(schemaVersion == 1, "schema_version is \(schemaVersion), this program reads 1")
    try check(isWord(name, "-."), "name \"\(name)\" must be lowercase letters, digits, - and .")
    try check(isWord(source.package.lowercased(), "-._"), "package \"\(source.package)\" is no package name")
    try check(isWord(source.version.lowercased(), "-._+!"), "version \"\(source.version)\" is no version")
    for (what, hash) in [("source.sha256", source.sha256), ("content.sha256", content.sha256)] {
      let isHex = hash.utf8.count == 64 && hash.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
      try check(isHex, "\(what) must be 64 lowercase hex digits")
    }
    for (what, bytes) in [("source.bytes", source.bytes), ("content.bytes", content.bytes)] {
      try check((1...ArtifactManifest.maximumArtifactBytes).contains(bytes), "\(what) is \(bytes), outside 1…2^40")
    }
    try check(isSafePath(content.member), "content.member \"\(content.member)\" must be a relative path inside the package")
    try check(isSafePath(content.target) && !content.target.contains("/"), "content.target \"\(content.target)\" must be one file name")
  }
}

/// Lowercase ASCII letters and digits first, then also `extra`; 1 to 100 bytes.
private func isWord(_ text: String, _ extra: String) -> Bool {
  let plain = "abcdefghijklmnopqrstuvwxyz0123456789"
  guard let first = text.utf8.first, plain.utf8.contains(first), text.utf8.count <= 100 else { return false }
  return text.utf8.allSatisfy { plain.utf8.contains($0) || extra.utf8.contains($0) }
}

/// Relative, without `..`, empty or hidden components, backslashes and control characters.
private func isSafePath(_ path: String) -> Bool {
  guard !path.isEmpty, path.utf8.count <= 500, path.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0 != "\\" && $0.value != 0x7F }) else {
    return false
  }
  return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
}

/// Only the keys of a JSON document, two levels deep: enough to refuse unknown ones.
private struct KeyTree: Decodable {
  struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var children: [String: KeyTree] = [:]

  init(from decoder: any Decoder) throws {
    guard decoder.codingPath.count < 3, let map = try? decoder.container(keyedBy: AnyKey.self) else { return }
    for key in map.allKeys { children[key.stringValue] = try map.decode(KeyTree.self, forKey: key) }
  }

  func check(_ known: [String], at path: [String]) throws {
    let map = path.reduce(self as KeyTree?) { $0?.children[$1] }
    for key in map?.children.keys.sorted() ?? [] where !known.contains(key) {
      throw Fault(.invalidData, "unknown key \"\((path + [key]).joined(separator: "."))\"", hint: nameHint(key, among: known))
    }
  }
}

private func describe(_ error: DecodingError) -> String {
  func path(_ context: DecodingError.Context) -> String { context.codingPath.map(\.stringValue).joined(separator: ".") }
  switch error {
  case .keyNotFound(let key, let context):
    return "\"\((context.codingPath + [key]).map(\.stringValue).joined(separator: "."))\" is missing"
  case .typeMismatch(_, let context), .valueNotFound(_, let context): return "\"\(path(context))\" has the wrong type"
  case .dataCorrupted(let context): return context.codingPath.isEmpty ? "not valid JSON" : "\"\(path(context))\" has an unknown value"
  @unknown default: return "not valid JSON"
  }
}
