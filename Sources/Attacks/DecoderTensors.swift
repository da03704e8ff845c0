import Checkpoints
import Diagnostics
import Kernels
import Llama

/// A tensor of a trained attack, for files: shape and values, row by row.
package struct NamedTensor: Sendable, Equatable {
  package var name: String
  package var shape: [Int]
  package var values: [Float]

  package init(_ name: String, shape: [Int], values: [Float]) { (self.name, self.shape, self.values) = (name, shape, values) }
}

extension InversionDecoder {
  /// Everything that was fitted, in a fixed order: `input_map.centre|scale|weight|bias`, `blocks.<i>.<Hugging Face name>`, `norm.weight`,
  /// `temperature`.
  package var tensors: [NamedTensor] {
    var out: [NamedTensor] = []
    if let map = inputMap {
      out.append(NamedTensor("input_map.centre", shape: [map.centre.count], values: map.centre))
      out.append(NamedTensor("input_map.scale", shape: [map.scale.count], values: map.scale))
      out.append(NamedTensor("input_map.weight", shape: [map.weight.rows, map.weight.columns], values: map.weight.values))
      out.append(NamedTensor("input_map.bias", shape: [map.bias.count], values: map.bias))
    }
    for (i, block) in blocks.adapters.enumerated() {
      out += block.names.map { NamedTensor("blocks.\(i).\($0.text)", shape: block.shape($0), values: block[$0]) }
    }
    out.append(NamedTensor("norm.weight", shape: [norm.count], values: norm))
    out.append(NamedTensor("temperature", shape: [1], values: [temperature]))
    return out
  }

  /// This decoder with the tensors of another of the same form.
  /// - Throws: when one is missing, has another shape, or holds values that are not finite.
  package func restored(from tensors: [NamedTensor]) throws -> InversionDecoder {
    let known = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    func values(_ own: NamedTensor) throws -> [Float] {
      guard let found = known[own.name], found.shape == own.shape, found.values.count == own.values.count,
        found.values.allSatisfy(\.isFinite)
      else {
        throw Fault(
          .invalidData, "no finite tensor \(own.name) of shape \(own.shape) in the saved decoder", hint: "remove the file: it is made again"
        )
      }
      return found.values
    }
    let fresh = Dictionary(uniqueKeysWithValues: try self.tensors.map { ($0.name, try values($0)) })
    var out = self
    if let map = inputMap {
      out.inputMap = InputMap(
        centre: fresh["input_map.centre"]!, scale: fresh["input_map.scale"]!,
        weight: Matrix(rows: map.weight.rows, columns: map.weight.columns, values: fresh["input_map.weight"]!),
        bias: fresh["input_map.bias"]!)
    }
    for i in blocks.adapters.indices {
      for name in blocks.adapters[i].names { out.blocks.adapters[i][name] = fresh["blocks.\(i).\(name.text)"]! }
    }
    out.blocks.refresh()
    (out.norm, out.temperature) = (fresh["norm.weight"]!, fresh["temperature"]![0])
    return out
  }
}
