import Datasets
import Diagnostics
import Fetching
import Foundation
import Testing

@Suite struct TaskDataTests {
  @Test func theCatalogIsConsistentAndApartFromThatOfAudits() throws {
    for dataset in TaskDataCatalog.all { try dataset.manifest.validate() }
    let names = Set(TaskDataCatalog.all.map(\.name))
    #expect(names.count == TaskDataCatalog.all.count && names.isDisjoint(with: DatasetCatalog.splits.keys))
    #expect(names.isDisjoint(with: DatasetCatalog.all.map(\.name)))
    #expect(TaskDataCatalog.all.allSatisfy { $0.manifest.kind == .dataset && !$0.summary.isEmpty && !$0.task.isEmpty })
    let fault = #expect(throws: Fault.self) { try TaskDataCatalog.dataset(named: "alcsum") }
    #expect(fault?.hint == "did you mean \"aclsum\"?")
    let refused = #expect(throws: Fault.self) { try DatasetCatalog.dataset(named: "aclsum") }
    #expect(refused?.code == .invalidData)
  }

  /// Fetches the real packages; runs with FEDSEA_NETWORK_TESTS=1 only.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["FEDSEA_NETWORK_TESTS"] != nil), arguments: TaskDataCatalog.all.map(\.name)
  ) func everyTaskDatasetCanBeFetched(_ name: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "real-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = ArtifactStore(root: folder, datasets: TaskDataCatalog.manifests)
    let manifest = try TaskDataCatalog.dataset(named: name).manifest
    #expect(try store.fetch(manifest) == store.verified(manifest))
  }
}
