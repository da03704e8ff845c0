import Checkpoints
import Diagnostics
import Foundation
package import Kernels

/// Reads what the scripts in Tests/Fixtures wrote.
package enum Fixture {
  /// Root of the package.
  package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .path

  package static func path(_ name: String) -> String { "\(root)/Tests/Fixtures/\(name)" }

  /// The fetched GGUF of SmolLM2-135M-Instruct, or nil where nobody fetched it; `make test` does.
  package static let realCheckpoint: String? = {
    let path =
      ProcessInfo.processInfo.environment["FEDSEA_TEST_GGUF"]
      ?? "\(root)/checkpoints/smollm2-135m-instruct/files/SmolLM2-135M-Instruct.Q4_1.gguf"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()
}

/// The tensors of a safetensors fixture.
package struct Tensors {
  private let file: SafetensorsFile

  package init(_ fixture: String) throws { file = try SafetensorsFile.open(at: Fixture.path(fixture)) }

  package func shape(_ name: String) -> [Int] { file.tensors[name]?.shape ?? [] }

  /// An F32 tensor, flat.
  package func floats(_ name: String) throws -> [Float] { try read(name, as: Float.self) }

  /// An I64 tensor, flat.
  package func integers(_ name: String) throws -> [Int] { try read(name, as: Int64.self).map(Int.init) }

  /// Index `i` of the first dimension as a matrix of the last one's width.
  package func matrix(_ name: String, at i: Int) throws -> Matrix {
    let shape = shape(name)
    let size = shape.dropFirst().reduce(1, *)
    return Matrix(rows: size / shape.last!, columns: shape.last!, values: Array(try floats(name)[i * size..<(i + 1) * size]))
  }

  private func read<T>(_ name: String, as type: T.Type) throws -> [T] {
    guard let info = file.tensors[name] else { throw Fault(.missingInput, "no tensor \(name) in the fixture") }
    return file.bytes(of: info).withUnsafeBytes { raw in
      (0..<raw.count / MemoryLayout<T>.stride).map { raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.stride, as: T.self) }
    }
  }
}

/// Largest |a − b|.
package func largestDifference(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
  zip(a, b).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) }
}

/// Root mean square.
package func rootMeanSquare(_ values: some Collection<Float>) -> Double {
  (values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, values.count))).squareRoot()
}
