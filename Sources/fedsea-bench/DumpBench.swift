import Audit
import Diagnostics
import Foundation
import Kernels
import SplitLearning

/// How fast hidden states go into view.h5, beside a raw sequential write of as many bytes to the same folder. Both end when the bytes are on the disk.
enum DumpBench {
  private static let (width, rowsPerMessage, messages) = (576, 1024, 256)

  static func run(_ meter: Meter) throws {
    let (dump, raw) = ("dump of hidden states, 576 MiB", "raw sequential write, 576 MiB")
    guard meter.isWanted(dump, "fedsea-audit") || meter.isWanted(raw, "write") else { return }
    let folder = FileManager.default.temporaryDirectory.appending(path: "fedsea-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let random = CounterRandom(seed: 1, stream: "bench/dump")
    let row = (0..<64).flatMap { random.normals(item: $0, count: width).map(Float.init) }
    let message = Matrix(rows: rowsPerMessage, columns: width, values: (0..<rowsPerMessage / 64).flatMap { _ in row })
    let lengths = [Int](repeating: 64, count: rowsPerMessage / 64)
    let size = Double(messages * rowsPerMessage * width * 4) / 1e6
    // Turn by turn, so that both meet the same disk.
    for _ in 0..<2 {
      try meter.rate(dump, size, "MB/s") {
        let path = folder.appending(path: "view.h5").path
        let writer = try ViewWriter(
          path,
          identity: ViewIdentity(runID: "b", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: ""),
          partition: PartitionPoints(input: 1, output: 1), channels: [.inputHiddenStates: ChannelDescription(columns: width)])
        for _ in 0..<messages { try writer.append(lengths, [.inputHiddenStates: message]) }
        try writer.close()
        try synchronised(path)
      }
      try meter.rate(raw, size, "MB/s", peer: "write") {
        let path = folder.appending(path: "raw").path
        try message.values.withUnsafeBytes { bytes in
          let descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0o600)
          guard descriptor >= 0 else { throw Fault(.cannotCreate, "no file can be made", at: path) }
          defer { close(descriptor) }
          for _ in 0..<messages {
            guard write(descriptor, bytes.baseAddress!, bytes.count) == bytes.count else {
              throw Fault(.inputOutput, "the disk is full", at: path)
            }
          }
          fsync(descriptor)
        }
      }
    }
  }

  private static func synchronised(_ path: String) throws {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw Fault(.missingInput, "there is no such file", at: path) }
    fsync(descriptor)
    close(descriptor)
  }
}
