package import Kernels

extension LlamaModel {
  /// Continues `prompt` by up to `count` tokens; stops after a token of `endTokens`. `onToken` sees every new token as it is made.
  /// Randomness: `random`, one draw a step.
  package func generate(
    _ prompt: [Int32], count: Int, sampling: Sampling = .greedy, random: CounterRandom = CounterRandom(seed: 0, stream: "generate"),
    endTokens: Set<Int32> = [], onToken: (Int32) -> Bool = { _ in true }
  ) throws -> [Int32] {
    var cache = emptyCache()
    var pending = try checked(prompt)
    var out: [Int32] = []
    guard !prompt.isEmpty else { return out }
    while out.count < count {
      let logits = next(pending, cache: &cache)
      let token = sampling.choose(logits[row: 0], random: random, sequence: 0, step: out.count)
      out.append(token)
      if !onToken(token) || endTokens.contains(token) { break }
      pending = [token]
    }
    return out
  }
}
