import Foundation
import TestSupport
import Testing

/// The module graph is the threat model: what Attacks can reach holds no private text.
@Suite struct ThreatModelTests {
  @Test func attacksReachNoPrivateText() throws {
    let manifest = try String(contentsOfFile: "\(Fixture.root)/Package.swift", encoding: .utf8)
    var graph: [String: [String]] = [:]
    for match in manifest.matches(of: /module\(\s*"(\w+)",?\s*(?:\[([^\]]*)\])?/) {
      graph[String(match.1)] = (match.2 ?? "").matches(of: /"(\w+)"/).map { String($0.1) }
    }
    #expect(graph["Attacks"]?.isEmpty == false)
    var reached: Set<String> = []
    var open = ["Attacks"]
    while let next = open.popLast() {
      if reached.insert(next).inserted { open += graph[next] ?? [] }
    }
    for secret in ["PrivateText", "Datasets", "AuditRunner", "LeakageMetrics", "Reports"] {
      #expect(!reached.contains(secret), "Attacks reaches \(secret)")
    }
    #expect(graph["AuditRunner"]?.contains("PrivateText") == true)
  }
}
