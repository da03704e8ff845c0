import Diagnostics
import Foundation

extension PackageClient {
  /// The file or folder at the path `member` of an unpacked package. A file on the way there is an archive inside the package and is
  /// unpacked too; the package's SHA-256 covers it. Throws `Fault` 65 when there is no such member, and as `unpack` does.
  func member(_ member: String, of folder: URL, package: String, work: URL) throws -> URL {
    var place = folder
    let names = member.split(separator: "/").map(String.init)
    for (depth, name) in names.enumerated() {
      place.append(path: name)
      guard depth < names.count - 1 else { break }
      let attributes = try? FileManager.default.attributesOfItem(atPath: place.path)
      if attributes?[.type] as? FileAttributeType == .typeRegular { place = try unpack(place, work: work, to: "unpacked-\(depth)") }
    }
    guard FileManager.default.fileExists(atPath: place.path) else { throw Fault(.invalidData, "\(package) has no \(member)") }
    return place
  }
}
