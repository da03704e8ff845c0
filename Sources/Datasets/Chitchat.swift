import Diagnostics
import Fetching
import Foundation

extension TextDataset {
  /// 7,168 conversations between two people (chitchat-dataset, MIT, unmoderated): a stand-in for dialogue.
  package static let chitchat = TextDataset(
    manifest: ArtifactManifest(
      name: "chitchat", kind: .dataset, description: "Conversations between two people (chitchat-dataset; unmoderated)", licence: "MIT",
      source: PackageSource(
        package: "chitchat-dataset", version: "0.9.0", form: .wheel,
        sha256: "7bf89f36645e2d5ec87d53370c8e851b5a688479c7beb7079cb4c87fc5acea3e", bytes: 8_105_664),
      content: PackageContent(
        shape: .file, member: "chitchat_dataset/dataset.json", target: "dataset.json",
        sha256: "d2a5d0bf6acf354fef51f3af39cbece2220d3b8f6086b658c3d335105798312a", bytes: 40_303_934)),
    summary: "dialogue: 7,168 human conversations (unmoderated)",
    read: readConversations)
}

private struct Conversation: Decodable {
  struct Message: Decodable { var text: String }
  /// Turns of one or more messages each.
  var messages: [[Message]]
}

/// One source per conversation: one line per turn, its messages joined by a space.
@Sendable private func readConversations(_ file: URL) throws -> [SourceText] {
  guard let data = FileManager.default.contents(atPath: file.path) else {
    throw Fault(.missingInput, "the file cannot be read", at: file.path)
  }
  let all: [String: Conversation]
  do { all = try JSONDecoder().decode([String: Conversation].self, from: data) } catch {
    throw Fault(.invalidData, "not the expected JSON of conversations", at: file.path)
  }
  return all.sorted { $0.key < $1.key }.map { id, conversation in
    let turns = conversation.messages.map { $0.map(\.text).joined(separator: " ") }
    return SourceText(id: id, group: id, text: turns.joined(separator: "\n"))
  }
}
