import Checkpoints
import Kernels
package import Llama

/// A: embedding and the first p blocks; stays with the client.
package struct InputBlocks: Sendable {
  package let embedding: Weight
  package let stack: BlockStack

  package init(_ model: LlamaModel, _ points: PartitionPoints) {
    embedding = model.embedding
    stack = model.stack[0..<points.input]
  }

  init(embedding: Weight, stack: BlockStack) { (self.embedding, self.stack) = (embedding, stack) }
}

/// B: what the server runs.
package struct MiddleBlocks: Sendable {
  package let stack: BlockStack
  package let width: Int

  package init(_ model: LlamaModel, _ points: PartitionPoints) {
    stack = model.stack[points.input..<model.configuration.blocks - points.output]
    width = model.configuration.hiddenSize
  }

  init(stack: BlockStack, width: Int) { (self.stack, self.width) = (stack, width) }
}

/// C: the last q blocks, norm and head; stays with the client.
package struct OutputBlocks: Sendable {
  package let stack: BlockStack
  package let head: OutputHead

  package init(_ model: LlamaModel, _ points: PartitionPoints) {
    stack = model.stack[model.configuration.blocks - points.output..<model.configuration.blocks]
    head = model.head
  }

  init(stack: BlockStack, head: OutputHead) { (self.stack, self.head) = (stack, head) }
}
