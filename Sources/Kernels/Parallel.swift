import CKernels

extension Compute {
  /// Calls `body` with consecutive ranges that cover `0..<count`, in parallel. `body` must write only what its range owns.
  /// One grain per call: shares are dealt in contiguous runs of grains.
  package func parallel(over count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let tasks = (count + grain - 1) / grain
    guard tasks > 1, threads > 1 else {
      if count > 0 { body(0..<count) }
      return
    }
    withoutActuallyEscaping(body) { body in
      var loop = Loop(count: count, grain: grain, body: body)
      withUnsafeMutablePointer(to: &loop) { context in
        fs_parallel(
          Int32(tasks), Int32(threads),
          { context, index in
            let loop = context!.assumingMemoryBound(to: Loop.self)
            let first = Int(index) * loop.pointee.grain
            loop.pointee.body(first..<min(loop.pointee.count, first + loop.pointee.grain))
          }, context)
      }
    }
  }
}

/// What the C loop carries through its context pointer.
private struct Loop {
  let count: Int
  let grain: Int
  let body: (Range<Int>) -> Void
}
