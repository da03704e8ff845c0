import Checkpoints
import Foundation
import Kernels
import Llama
import TestSupport
import Testing

/// LoRA training of a tiny LLaMA against PyTorch + PEFT, and against finite differences.
@Suite(.serialized) struct TrainingTests {
  private struct Scene {
    let model: LlamaModel
    let tokens: [Int32]
    let labels: [Int32]
    let batch: PackedBatch
    var trainable: TrainableStack

    init(_ fixture: Tensors) throws {
      model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa")))
      tokens = try fixture.integers("token_ids").map(Int32.init)
      labels = try fixture.integers("labels").map(Int32.init)
      let offsets = try fixture.integers("offsets")
      batch = PackedBatch(lengths: zip(offsets.dropFirst(), offsets).map(-))
      let adapters = try Scene.adapters(fixture, "", blocks: model.configuration.blocks)
      trainable = TrainableStack(model.stack, AdapterSettings(targets: AdapterTarget.allCases, rank: 4, alpha: 8), adapters: adapters)
    }

    /// The adapters or gradients saved under `prefix`.
    static func adapters(_ fixture: Tensors, _ prefix: String, blocks: Int) throws -> [BlockAdapters] {
      try (0..<blocks).map { i in
        BlockAdapters(
          Dictionary(
            uniqueKeysWithValues: try AdapterTarget.allCases.map { target in
              func matrix(_ part: String) throws -> Matrix {
                let name = "\(prefix)\(part).\(i).\(target.rawValue)"
                let shape = fixture.shape(name)
                return Matrix(rows: shape[0], columns: shape[1], values: try fixture.floats(name))
              }
              return (target, LowRankAdapter(a: try matrix("a"), b: try matrix("b")))
            }))
      }
    }

    /// Loss, adapter gradients, and the gradient of the embeddings.
    func gradients() -> (loss: Double, adapters: [BlockAdapters], embedding: Matrix) {
      let (states, tape) = trainable.forward(model.embedding.gather(tokens), batch)
      let (loss, _, dx) = model.head.loss(states, labels: labels, batch: batch)
      var gradients = trainable.zeroGradients
      let embedding = trainable.backward(dx, tape, gradients: &gradients)
      return (loss, gradients, embedding)
    }
  }

  /// ‖a − b‖ / ‖b‖.
  private func relative(_ a: [Float], _ b: [Float]) -> Double {
    let norm = b.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    return zip(a, b).reduce(0) { $0 + pow(Double($1.0) - Double($1.1), 2) }.squareRoot() / max(norm, 1e-30)
  }

  @Test(arguments: [true, false]) func lossAndEveryGradientAgreeWithPEFT(keepsActivations: Bool) throws {
    let fixture = try Tensors("training/expected.safetensors")
    var scene = try Scene(fixture)
    scene.trainable.keepsActivations = keepsActivations
    let (loss, found, embedding) = scene.gradients()
    #expect(abs(loss - Double(try fixture.floats("loss")[0])) < 1e-5)
    #expect(relative(embedding.values, try fixture.floats("grad_embedding")) < 1e-3)
    let expected = try Scene.adapters(fixture, "grad_", blocks: found.count)
    for i in found.indices {
      for target in AdapterTarget.allCases {
        let (a, b) = (try #require(found[i].pairs[target]), try #require(expected[i].pairs[target]))
        #expect(relative(a.a.values, b.a.values) < 1e-3, "A of block \(i), \(target.rawValue)")
        #expect(relative(a.b.values, b.b.values) < 1e-3, "B of block \(i), \(target.rawValue)")
      }
    }
  }

  @Test func tenAdamWStepsAgreeWithPEFT() throws {
    let fixture = try Tensors("training/expected.safetensors")
    var scene = try Scene(fixture)
    var optimizer = AdapterOptimizer(scene.trainable.adapters, clip: 1)
    for step in 0..<10 {
      let (loss, gradients, _) = scene.gradients()
      #expect(abs(loss - Double(try fixture.floats("losses")[step])) < 1e-4, "step \(step)")
      let norm = optimizer.update(&scene.trainable.adapters, gradients: gradients, rate: 1e-2)
      let expected = Double(try fixture.floats("clip_norms")[step])
      #expect(abs(norm - expected) < 1e-3 * expected, "step \(step)")
    }
    let expected = try Scene.adapters(fixture, "final_", blocks: scene.trainable.adapters.count)
    for (found, wanted) in zip(scene.trainable.adapters, expected) {
      for target in AdapterTarget.allCases {
        #expect(relative(found.pairs[target]!.a.values, wanted.pairs[target]!.a.values) < 1e-3, "A of \(target.rawValue)")
        #expect(relative(found.pairs[target]!.b.values, wanted.pairs[target]!.b.values) < 1e-3, "B of \(target.rawValue)")
      }
    }
  }

  /// The slope of the loss along a random direction of all adapters equals the gradient's component along it. No fixture is involved.
  @Test func directionalDerivative() throws {
    var scene = try Scene(Tensors("training/expected.safetensors"))
    let (_, gradients, _) = scene.gradients()
    var random = SplitMix(state: 4)
    var direction = scene.trainable.zeroGradients
    var component = 0.0
    for i in direction.indices {
      for target in direction[i].targets {
        for k in direction[i].pairs[target]!.a.values.indices {
          direction[i].pairs[target]!.a.values[k] = Float(random.gaussian())
          component += Double(direction[i].pairs[target]!.a.values[k]) * Double(gradients[i].pairs[target]!.a.values[k])
        }
        for k in direction[i].pairs[target]!.b.values.indices {
          direction[i].pairs[target]!.b.values[k] = Float(random.gaussian())
          component += Double(direction[i].pairs[target]!.b.values[k]) * Double(gradients[i].pairs[target]!.b.values[k])
        }
      }
    }
    let start = scene.trainable.adapters
    func loss(_ distance: Float) -> Double {
      for i in start.indices {
        for target in start[i].targets {
          for k in start[i].pairs[target]!.a.values.indices {
            scene.trainable.adapters[i].pairs[target]!.a.values[k] =
              start[i].pairs[target]!.a.values[k] + distance * direction[i].pairs[target]!.a.values[k]
          }
          for k in start[i].pairs[target]!.b.values.indices {
            scene.trainable.adapters[i].pairs[target]!.b.values[k] =
              start[i].pairs[target]!.b.values[k] + distance * direction[i].pairs[target]!.b.values[k]
          }
        }
      }
      return scene.gradients().loss
    }
    let h: Float = 1e-3
    let slope = (loss(h) - loss(-h)) / Double(2 * h)
    #expect(abs(slope - component) < 1e-2 * abs(component) + 1e-4, "slope \(slope), gradient \(component)")
  }

  @Test func freshAdaptersChangeNothing() throws {
    let scene = try Scene(Tensors("training/expected.safetensors"))
    let fresh = TrainableStack(scene.model.stack, AdapterSettings(), seed: 3)
    let plain = scene.model.logits((0..<scene.batch.sequences).map { Array(scene.tokens[scene.batch.range($0)]) })
    let adapted = scene.model.head.logits(fresh.forward(scene.model.embedding.gather(scene.tokens), scene.batch).output)
    #expect(largestDifference(plain.values, adapted.values) < 1e-4)
  }

  @Test func schedules() {
    let linear = LearningRateSchedule(peak: 1, warmup: 2, steps: 6)
    #expect((0..<6).map(linear.rate) == [0.5, 1, 1, 0.75, 0.5, 0.25])
    #expect(LearningRateSchedule(peak: 2, steps: 4, shape: .constant).rate(3) == 2)
    #expect(abs(LearningRateSchedule(peak: 1, steps: 4, shape: .cosine).rate(2) - 0.5) < 1e-6)
  }
}
