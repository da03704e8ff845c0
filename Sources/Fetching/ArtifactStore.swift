import Diagnostics
package import Foundation

/// The artifacts of one project folder: checkpoints by their manifests, data sets by manifests compiled into the program.
///
/// A checkpoint is kept as `checkpoints/<name>/files/<target>`, a data set as `notebooks-data/cache/datasets/<name>/<target>`.
package struct ArtifactStore: Sendable {
  /// The project's folder.
  package let root: URL
  private let embedded: [ArtifactManifest]

  package init(root: URL, datasets: [ArtifactManifest] = []) { (self.root, embedded) = (root, datasets) }

  /// All manifests, sorted by kind and name. Throws `Fault` 65 for a broken manifest or one whose name is not its folder's.
  package func list() throws -> [ArtifactManifest] {
    let folder = root.appending(path: "checkpoints")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let found = try names.sorted().compactMap { name -> ArtifactManifest? in
      let file = folder.appending(path: name).appending(path: "manifest.json")
      guard FileManager.default.fileExists(atPath: file.path) else { return nil }
      let manifest = try ArtifactManifest(contentsOf: file)
      guard manifest.name == name, manifest.kind == .checkpoint else {
        throw Fault(.invalidData, "the manifest is for the \(manifest.kind.noun) \"\(manifest.name)\"", at: file.path)
      }
      return manifest
    }
    return found + embedded.sorted { $0.name < $1.name }
  }

  /// The manifest by name. Throws `Fault` 66 with the nearest name for an unknown one.
  package func manifest(_ name: String, kind: ArtifactManifest.Kind) throws -> ArtifactManifest {
    let all = try list().filter { $0.kind == kind }
    guard let found = all.first(where: { $0.name == name }) else {
      let hint = all.isEmpty ? "there is none in \(root.path)" : nameHint(name, among: all.map(\.name))
      throw Fault(.missingInput, "unknown \(kind.noun) \"\(name)\"", hint: hint)
    }
    return found
  }

  /// The folder in which an artifact is kept.
  package func folder(of manifest: ArtifactManifest) -> URL {
    switch manifest.kind {
    case .checkpoint: root.appending(path: "checkpoints/\(manifest.name)/files")
    case .dataset: root.appending(path: "notebooks-data/cache/datasets/\(manifest.name)")
    }
  }

  /// The file or folder of a fetched artifact. Throws `Fault` 66 when it has not been fetched, 65 when a file has the wrong size.
  package func path(of manifest: ArtifactManifest) throws -> URL {
    let target = folder(of: manifest).appending(path: manifest.content.target)
    let command = "fedsea-audit fetch \(manifest.kind.rawValue) \(manifest.name)"
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: target.path) else {
      throw Fault(.missingInput, "\(manifest.kind.noun) \"\(manifest.name)\" has not been fetched", at: target.path, hint: command)
    }
    let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
    let size = (attributes[.size] as? NSNumber)?.intValue ?? -1
    guard isFolder == (manifest.content.shape == .folder), isFolder || size == manifest.content.bytes else {
      throw Fault(
        .invalidData, "\(manifest.kind.noun) \"\(manifest.name)\" is damaged: expected \(manifest.content.bytes) bytes, found \(size)",
        at: target.path, hint: "fetch it again: \(command)")
    }
    return target
  }

  /// Checks a fetched artifact's size and SHA-256 and returns its path. Throws `Fault` 66 when it is absent, 65 when it differs.
  package func verified(_ manifest: ArtifactManifest) throws -> URL {
    let target = try path(of: manifest)
    try ArtifactStore.check(target, manifest.content, name: manifest.name)
    return target
  }

  static func check(_ place: URL, _ content: PackageContent, name: String) throws {
    let found: (sha256: String, bytes: Int)
    switch content.shape {
    case .folder: found = try FileDigest.tree(place)
    case .file:
      let size = (try? FileManager.default.attributesOfItem(atPath: place.path)[.size] as? NSNumber)?.intValue ?? -1
      found = (try FileDigest.file(place), size)
    }
    guard found.sha256 == content.sha256, found.bytes == content.bytes else {
      throw Fault(
        .invalidData,
        "\(content.target) of \"\(name)\" has the wrong sha256: expected \(content.sha256), found \(found.sha256) (\(found.bytes) bytes)",
        at: place.path, hint: "remove it and fetch again")
    }
  }
}
