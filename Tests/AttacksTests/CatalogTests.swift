import Audit
import Attacks
import Foundation
import TestSupport
import Testing

@Suite struct AttackCatalogTests {
  /// An attack that is written but not listed cannot be run: fails with the line to paste.
  @Test func everyAttackIsListed() throws {
    let folder = "\(Fixture.root)/Sources/Attacks"
    let catalog = try String(contentsOfFile: "\(folder)/Catalog.swift", encoding: .utf8)
    for file in try FileManager.default.subpathsOfDirectory(atPath: folder) where file.hasSuffix(".swift") {
      let source = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      for match in source.matches(of: /package struct (\w+): Attack \{/) {
        #expect(catalog.contains("\(match.1).self,"), "add to AttackCatalog.all:    \(match.1).self,")
      }
    }
  }

  @Test func everyInferenceAttackIsListed() throws {
    let folder = "\(Fixture.root)/Sources/Attacks/Inference"
    let catalog = try String(contentsOfFile: "\(folder)/InferenceCatalog.swift", encoding: .utf8)
    for file in try FileManager.default.subpathsOfDirectory(atPath: folder) where file.hasSuffix(".swift") {
      let source = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      for match in source.matches(of: /package struct (\w+): InferenceAttack \{/) {
        #expect(catalog.contains("\(match.1).self,"), "add to InferenceCatalog.all:    \(match.1).self,")
      }
    }
    let names = InferenceCatalog.descriptions.map(\.name)
    #expect(Set(names).count == names.count && Set(names).isDisjoint(with: AttackCatalog.names))
    for attack in InferenceCatalog.all {
      #expect(Set(attack.rules.keys) == Set(attack.description.settings.keys), "\(attack.description.name)")
    }
  }

  @Test func namesAreUniqueAndRulesDocumented() {
    #expect(Set(AttackCatalog.names).count == AttackCatalog.all.count)
    for attack in AttackCatalog.all {
      #expect(Set(attack.rules.keys) == Set(attack.description.settings.keys), "\(attack.description.name)")
    }
  }
}
