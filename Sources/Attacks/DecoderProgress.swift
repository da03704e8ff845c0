import Foundation
import Kernels
import Llama

/// Steps taken from a decoder with one learning rate.
struct DecoderCourse: Sendable {
  /// Where a course ends, whichever comes first.
  struct Limits {
    var steps: Int
    /// Of the whole course, those of earlier processes included.
    var seconds: Double
  }

  var decoder: InversionDecoder
  /// Counts the steps.
  var optimizer: DecoderOptimizer
  /// Spent so far.
  var seconds = 0.0

  /// Steps between two states worth keeping.
  static let interval = 20

  init(_ start: InversionDecoder) { (decoder, optimizer) = (start, DecoderOptimizer(start)) }

  var step: Int { optimizer.step }
}

/// Where the training of a decoder stands: everything that decides how it goes on.
struct DecoderProgress: Sendable {
  /// Held-out loss of each learning rate that has been tried, in nats.
  var trials: [Double] = []
  /// The final training.
  var course: DecoderCourse
  /// Spent so far, trials included.
  var seconds = 0.0

  init(_ start: InversionDecoder) { course = DecoderCourse(start) }
}
