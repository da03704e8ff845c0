import Diagnostics
package import Fetching
package import Foundation

/// A public data set: where its package is, and how its sources are read.
package struct TextDataset: Sendable {
  package var manifest: ArtifactManifest
  /// One sentence for `list`.
  package var summary: String
  /// Reads all sources from the fetched file or folder, in a fixed order. Throws `Fault` 65 or 66.
  package var read: @Sendable (URL) throws -> [SourceText]

  package var name: String { manifest.name }

  package init(manifest: ArtifactManifest, summary: String, read: @escaping @Sendable (URL) throws -> [SourceText]) {
    (self.manifest, self.summary, self.read) = (manifest, summary, read)
  }

  /// The sources of one split, after checking the fetched content's SHA-256. Throws `Fault` 66 when the data set has not been fetched.
  package func sources(_ split: SourceSplit, in store: ArtifactStore) throws -> [SourceText] {
    try read(store.verified(manifest)).filter { SourceSplit(ofGroup: $0.group) == split }
  }

  /// Passages of one split. Randomness: `sampling.seed` only.
  package func documents(
    _ split: SourceSplit, in store: ArtifactStore, sampling: PassageSampling, tokenize: Tokenize
  ) throws -> DocumentSet {
    let documents = try sampling.passages(from: sources(split, in: store), tokenize: tokenize)
    return DocumentSet(name: "\(name)/\(split.rawValue)", documents: documents)
  }
}
