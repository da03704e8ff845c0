import CKernels

extension Compute {
  /// Up to this many rows, reading the weights costs more than multiplying: a loop of our own that loads each weight once beats a library
  /// that packs them first (`make bench`, "f32 product").
  package static let fewRows = 16

  /// Y = X Wᵀ. `x` [M, K], `weight` [N, K] row-major f32, result [M, N].
  package func linear(_ x: Matrix, _ weight: [Float], outputs: Int) -> Matrix {
    precondition(weight.count == outputs * x.columns, "\(weight.count) weights are no [\(outputs), \(x.columns)]")
    return weight.withUnsafeBufferPointer { linear(x, UnsafePointer($0.baseAddress!), outputs: outputs) }
  }

  /// As above over borrowed weights [outputs, K]; few rows go through a loop that only reads the weights once, without packing them.
  package func linear(_ x: Matrix, _ weight: UnsafePointer<Float>, outputs: Int) -> Matrix {
    Matrix(rows: x.rows, columns: outputs) { y in
      x.values.withUnsafeBufferPointer { x_ in
        guard let base = x_.baseAddress else { return }
        if x.rows <= Self.fewRows {
          fs_matvec_f32(Int32(x.rows), Int32(outputs), Int32(x.columns), base, weight, y, Int32(threads))
        } else {
          let failed = fs_gemm(library.rawValue, Int32(threads), Int32(x.rows), Int32(outputs), Int32(x.columns), base, weight, y, 0)
          precondition(failed == 0, "the product [\(x.rows), \(x.columns)] x [\(outputs), \(x.columns)] was refused by \(library)")
        }
      }
    }
  }

  /// Y = X Wᵀ with bf16 weights [outputs, K]. Natively in bf16 (X rounded to nearest even, f32 accumulation) where the CPU can and the batch
  /// is large; else the weights are widened exactly and X stays f32.
  package func linear(_ x: Matrix, bf16 weight: UnsafePointer<UInt16>, outputs: Int) -> Matrix {
    if x.rows <= Self.fewRows {
      return Matrix(rows: x.rows, columns: outputs) { y in
        x.values.withUnsafeBufferPointer { x_ in
          guard let base = x_.baseAddress else { return }
          fs_matvec_bf16(Int32(x.rows), Int32(outputs), Int32(x.columns), base, weight, y, Int32(threads))
        }
      }
    }
    if Compute.hasBF16Products {
      let narrow = BF16.narrowed(x.values, self)
      return Matrix(rows: x.rows, columns: outputs) { y in
        let failed = fs_gemm_bf16(Int32(threads), Int32(x.rows), Int32(outputs), Int32(x.columns), narrow, weight, y)
        precondition(failed == 0, "the bf16 product [\(x.rows), \(x.columns)] x [\(outputs), \(x.columns)] was refused by oneDNN")
      }
    }
    return widening(x, outputs: outputs) { first, count, out in
      fs_widen_bf16(count * x.columns, weight + first * x.columns, out)
    }
  }

  /// Y = X Wᵀ with block-quantised weights as stored. Few rows: int8 products on the stored bytes (activations quantised in blocks of 32,
  /// an error of about 0.4 % of a block's largest value). Many rows: weights widened exactly, product in f32.
  package func linear(_ x: Matrix, quantized format: QuantizedFormat, _ weight: UnsafePointer<UInt8>, outputs: Int) -> Matrix {
    precondition(x.columns % 32 == 0, "\(x.columns) columns are no whole blocks of 32")
    let blocks = x.columns / 32
    if x.rows <= 4 {
      return Matrix(rows: x.rows, columns: outputs) { y in
        x.values.withUnsafeBufferPointer { x_ in
          guard let base = x_.baseAddress else { return }
          switch format {
          case .q4_1: fs_matvec_q4_1(Int32(x.rows), Int32(outputs), Int32(x.columns), base, weight, y, Int32(threads))
          case .q8_0: fs_matvec_q8_0(Int32(x.rows), Int32(outputs), Int32(x.columns), base, weight, y, Int32(threads))
          }
        }
      }
    }
    return widening(x, outputs: outputs) { first, count, out in
      switch format {
      case .q4_1: fs_widen_q4_1(count * blocks, weight + first * blocks * 20, out)
      case .q8_0: fs_widen_q8_0(count * blocks, weight + first * blocks * 34, out)
      }
    }
  }

  /// Widens all `outputs` rows with `widen(firstRow, rowCount, destination)`, in parallel, and multiplies in f32.
  package func widening(_ x: Matrix, outputs: Int, widen: (Int, Int, UnsafeMutablePointer<Float>) -> Void) -> Matrix {
    let wide = [Float].filled(outputs * x.columns) { out in
      parallel(over: outputs, grain: 64) { rows in widen(rows.lowerBound, rows.count, out + rows.lowerBound * x.columns) }
    }
    return linear(x, wide, outputs: outputs)
  }
}

/// Block-quantised formats that products read as stored.
package enum QuantizedFormat: Sendable {
  /// 32 weights in 20 bytes: f16 d, f16 m, 32 nibbles; w = d·q + m.
  case q4_1
  /// 32 weights in 34 bytes: f16 d, 32 int8; w = d·q.
  case q8_0
}

package enum BF16 {
  /// Round to nearest even.
  package static func narrowed(_ values: [Float], _ compute: Compute) -> [UInt16] {
    [UInt16](unsafeUninitializedCapacity: values.count) { buffer, initialized in
      if let target = buffer.baseAddress {
        values.withUnsafeBufferPointer { source in
          compute.parallel(over: source.count, grain: 1 << 15) { part in
            fs_narrow_bf16(part.count, source.baseAddress! + part.lowerBound, target + part.lowerBound)
          }
        }
      }
      initialized = values.count
    }
  }

  /// Exact.
  package static func widened(_ values: [UInt16]) -> [Float] {
    .filled(values.count) { fs_widen_bf16(values.count, values, $0) }
  }
}
