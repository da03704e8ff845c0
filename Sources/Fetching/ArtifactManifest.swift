import Diagnostics
import Foundation

/// What an artifact is, where it comes from, and what it must hash to. Lives as checkpoints/<name>/manifest.json, or as a Swift value.
///
/// The JSON is strict: an unknown key, an unsafe path or a malformed hash is refused.
package struct ArtifactManifest: Sendable, Hashable, Codable {
  package enum Kind: String, Sendable, Codable, CaseIterable {
    case checkpoint, dataset
    /// `checkpoint`, `data set`: for messages.
    package var noun: String { self == .checkpoint ? "checkpoint" : "data set" }
  }

  package var schemaVersion = 1
  /// Lowercase letters, digits, `-` and `.`; for a checkpoint also its folder's name.
  package var name: String
  package var kind: Kind
  package var description: String
  /// SPDX expression of the content.
  package var licence: String
  package var source: PackageSource
  package var content: PackageContent

  package init(name: String, kind: Kind, description: String, licence: String, source: PackageSource, content: PackageContent) {
    (self.name, self.kind, self.description, self.licence) = (name, kind, description, licence)
    (self.source, self.content) = (source, content)
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case schemaVersion = "schema_version", name, kind, description, licence, source, content
  }
}

/// A package of the Python package index, pinned.
package struct PackageSource: Sendable, Hashable, Codable {
  package enum Form: String, Sendable, Codable, CaseIterable { case wheel, sdist }

  /// The project's name on the index.
  package var package: String
  package var version: String
  package var form: Form
  /// SHA-256 of the package file, lowercase hex.
  package var sha256: String
  /// Size of the package file in bytes.
  package var bytes: Int

  package init(package: String, version: String, form: Form, sha256: String, bytes: Int) {
    (self.package, self.version, self.form, self.sha256, self.bytes) = (package, version, form, sha256, bytes)
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case package, version, form, sha256, bytes }
}

/// The part of a package that is kept: one file, or one folder with everything in it.
package struct PackageContent: Sendable, Hashable, Codable {
  package enum Shape: String, Sendable, Codable, CaseIterable { case file, folder }

  package var shape: Shape
  /// Path inside the package; it may lead through an archive inside it.
  package var member: String
  /// Name under which it is kept, one path component.
  package var target: String
  /// SHA-256, lowercase hex: of the file, or of the folder's listing (`FileDigest.tree`).
  package var sha256: String
  /// Bytes of the file, or of all files of the folder.
  package var bytes: Int

  package init(shape: Shape, member: String, target: String, sha256: String, bytes: Int) {
    (self.shape, self.member, self.target, self.sha256, self.bytes) = (shape, member, target, sha256, bytes)
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case shape, member, target, sha256, bytes }
}
