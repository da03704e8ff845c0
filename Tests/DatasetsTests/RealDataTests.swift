import Datasets
import Fetching
import Foundation
import Testing

/// Fetches the real packages; runs with FEDSEA_NETWORK_TESTS=1 only.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["FEDSEA_NETWORK_TESTS"] != nil)) struct RealDataTests {
  @Test(arguments: DatasetCatalog.all.map(\.name)) func passagesOfEveryDataset(_ name: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "real-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = ArtifactStore(root: folder, datasets: DatasetCatalog.manifests)
    let dataset = try DatasetCatalog.dataset(named: name)
    for manifest in dataset.manifests { _ = try store.fetch(manifest) { print($0) } }
    if let read = dataset.read {
      let halves = Dictionary(grouping: try read(store.verified(dataset.manifests[0]))) { SourceSplit(ofGroup: $0.group) }
      #expect(halves.values.allSatisfy { $0.count > 50 } && halves.count == 2)
    }
    let sampling = PassageSampling(count: 12, minTokens: 32, maxTokens: 64, seed: 1)
    let set = try dataset.documents(.private, in: store, sampling: sampling, tokenize: fourBytes)
    #expect(set.documents.count == 12)
    for document in set.documents { print(document.id, document.text) }
  }
}
