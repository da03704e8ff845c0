package import Fetching
package import Foundation

/// A public data set: the packages it is made of, and how its documents come about.
package struct TextDataset: Sendable {
  /// Draws the documents of one split. Throws `Fault` 66 when a package has not been fetched.
  package typealias Draw = @Sendable (SourceSplit, ArtifactStore, PassageSampling, Tokenize) throws -> [TextDocument]

  /// Lowercase letters, digits and `-`.
  package var name: String
  /// One sentence for `list`.
  package var summary: String
  /// What has to be fetched; empty for a data set that is generated.
  package var manifests: [ArtifactManifest]
  /// Reads all sources of the fetched file or folder, in a fixed order, where the documents are passages of long texts; else nil.
  package private(set) var read: (@Sendable (URL) throws -> [SourceText])?
  private let draw: Draw

  package init(name: String, summary: String, manifests: [ArtifactManifest], draw: @escaping Draw) {
    (self.name, self.summary, self.manifests, self.draw) = (name, summary, manifests, draw)
  }

  /// Passages of long texts. `read` gives all sources of the fetched file or folder, in a fixed order; it throws `Fault` 65 or 66.
  package init(manifest: ArtifactManifest, summary: String, read: @escaping @Sendable (URL) throws -> [SourceText]) {
    self.init(name: manifest.name, summary: summary, manifests: [manifest]) { split, store, sampling, tokenize in
      // The fetched content's SHA-256 is checked every time.
      let sources = try read(store.verified(manifest)).filter { SourceSplit(ofGroup: $0.group) == split }
      return try sampling.passages(from: sources, tokenize: tokenize)
    }
    self.read = read
  }

  /// Documents of one split. Randomness: `sampling.seed` only; document `i` is the same for every `sampling.count` > i.
  package func documents(
    _ split: SourceSplit, in store: ArtifactStore, sampling: PassageSampling, tokenize: Tokenize
  ) throws -> DocumentSet {
    DocumentSet(name: "\(name)/\(split.rawValue)", documents: try draw(split, store, sampling, tokenize))
  }
}
