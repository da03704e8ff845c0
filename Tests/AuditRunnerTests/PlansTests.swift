import Audit
import AuditRunner
import Fetching
import Foundation
import TestSupport
import Testing

/// The plans that come with the project, under the catalogs as they are.
@Suite struct PlansTests {
  @Test func everyPlanInAttacksIsValid() throws {
    let root = URL(filePath: Fixture.root)
    let known = try Catalogs.names(in: ArtifactStore(root: root))
    let folder = root.appending(path: "attacks")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".yaml") && !$0.hasPrefix("training/")
    }
    #expect(files.count >= 12)
    for file in files {
      let plan = try AuditPlan(contentsOf: folder.appending(path: file).path, known: known)
      #expect(try !plan.cells().isEmpty, "\(file)")
    }
  }

  /// Every attack of the full audit reads a channel that its threat model grants.
  @Test func theFullAuditGrantsWhatItsAttacksRead() throws {
    let root = URL(filePath: Fixture.root)
    let plan = try AuditPlan(
      contentsOf: root.appending(path: "attacks/full-audit.yaml").path, known: try Catalogs.names(in: ArtifactStore(root: root)))
    for attack in plan.attacks {
      let description = try #require(AttackRoster.descriptions.first { $0.name == attack.name })
      for channel in description.channels where channel != .lengths {
        #expect(plan.threatModel.channels.contains(channel), "\(attack.label) reads \(channel.rawValue)")
      }
    }
  }
}
