import Diagnostics
import Foundation
import LeakageMetrics
import Testing

@Suite struct CatalogTests {
  /// Every type in Sources/LeakageMetrics that conforms to `LeakageMetric` must be in the catalog, and every method file must declare one.
  @Test func everyMethodFileIsInTheCatalog() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/LeakageMetrics").standardized
    let known = Set(MetricCatalog.all.map { String(describing: type(of: $0)) })
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "swift" && !["Catalog.swift", "LeakageMetric.swift"].contains($0.lastPathComponent) }
    #expect(files.count >= known.count)
    for file in files {
      let source = try String(contentsOf: file, encoding: .utf8)
      let types = source.matches(of: /(?:struct|class|enum|actor)\s+(\w+)\s*:[^{]*\bLeakageMetric\b/).map { String($0.1) }
      #expect(!types.isEmpty, "\(file.lastPathComponent) declares no LeakageMetric; other code belongs into Support/")
      for type in types {
        #expect(known.contains(type), "\(file.lastPathComponent) is not in Catalog.swift; paste into MetricCatalog.all:\n    \(type)(),")
      }
    }
  }

  @Test func namesAreUniqueAndDescribed() {
    let descriptors = MetricCatalog.all.map(\.descriptor)
    #expect(Set(descriptors.map(\.name)).count == descriptors.count)
    for descriptor in descriptors {
      #expect(descriptor.name.wholeMatch(of: /[a-z][a-zA-Z0-9]*(_[a-z0-9]+)*/) != nil, "\(descriptor.name)")
      #expect(!descriptor.summary.isEmpty && !descriptor.definition.isEmpty && !descriptor.unit.isEmpty)
    }
    let required = [
      "token_accuracy", "exact_match", "rouge1_f", "rouge2_f", "rougeL_f", "bleu4", "bleu4_unsmoothed", "bag_f1", "edit_distance",
      "char_edit_distance", "bits_per_token", "rare_token_accuracy", "content_word_accuracy", "pii_recall", "pii_recall_fuzzy",
      "pii_recall_email",
      "canary_exposure",
    ]
    #expect(Set(required).isSubset(of: descriptors.map(\.name)))
    #expect(descriptors.first { $0.name == "bag_f1" }?.summary.contains("bag") == true)
  }

  @Test func anUnknownNameGetsTheNearestOne() throws {
    #expect(try MetricCatalog.named("rougeL_f").descriptor.name == "rougeL_f")
    let fault = #expect(throws: Fault.self) { try MetricCatalog.named("token_acuracy") }
    #expect(fault?.hint == "did you mean \"token_accuracy\"?")
  }
}
