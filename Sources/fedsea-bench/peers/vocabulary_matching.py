"""Exhaustive vocabulary matching at one position behind one block, as a PyTorch programmer would write it.

The attacker knows the embedding and block 0, the 32 tokens before, and the state y of one token behind block 0. Every id of the
vocabulary goes through block 0 in batches, with the keys and values of the prefix cached once and shared by all candidates; the id
whose state is nearest to y is the answer.
"""
import torch
from torch.nn.functional import linear
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

PREFIX, BATCH = 32, 1024


class Target:
  """Private ids [1, 32 + n] whose states behind block 0 are attacked: n different tokens, each as the one after the prefix."""

  def __init__(self, model, ids):
    self.model, self.block = model, model.model.layers[0]
    self.embedding = model.model.embed_tokens.weight
    self.prefix, self.secrets = ids[:, :PREFIX], ids[0, PREFIX:].tolist()
    self.heads, self.kv_heads = model.config.num_attention_heads, model.config.num_key_value_heads
    self.head_dim = model.config.head_dim
    cache = model(input_ids=self.prefix, use_cache=True, logits_to_keep=1).past_key_values
    self.keys, self.values = cache.layers[0].keys[0].clone(), cache.layers[0].values[0].clone()  # [KV, 32, c]
    self.cos, self.sin = model.model.rotary_emb(self.embedding[:1][None], torch.tensor([[PREFIX]]))  # [1, 1, c]
    self.seen = [self.observe(secret) for secret in self.secrets]
    self.guesses = []

  def observe(self, secret):
    """The state [d] behind block 0 that the model itself gives the token after the prefix."""
    caught = []
    hook = self.block.register_forward_hook(lambda m, args, out: caught.append((out[0] if isinstance(out, tuple) else out)[0, -1]))
    self.model.model(input_ids=torch.cat([self.prefix, torch.tensor([[secret]])], 1), use_cache=False)
    hook.remove()
    return caught[0]

  def states(self, first, last):
    """States [last - first, d] behind block 0 of the ids first..<last, each as the token after the prefix."""
    attention = self.block.self_attn
    x = self.embedding[first:last]
    h = self.block.input_layernorm(x)
    n, group = len(x), self.heads // self.kv_heads
    q = linear(h, attention.q_proj.weight).view(n, self.heads, 1, self.head_dim)
    k = linear(h, attention.k_proj.weight).view(n, self.kv_heads, 1, self.head_dim)
    v = linear(h, attention.v_proj.weight).view(n, self.kv_heads, 1, self.head_dim)
    q, k = apply_rotary_pos_emb(q, k, self.cos, self.sin)
    q = q.view(n, self.kv_heads, group, self.head_dim)
    shared = q.transpose(0, 1).reshape(self.kv_heads, n * group, self.head_dim) @ self.keys.transpose(1, 2)  # [KV, n·group, 32]
    own = (q * k).sum(-1).transpose(0, 1).reshape(self.kv_heads, n * group, 1)
    weights = (torch.cat([shared, own], -1) * attention.scaling).softmax(-1, dtype=torch.float32).to(x.dtype)
    mixed = (weights[..., :PREFIX] @ self.values).view(self.kv_heads, n, group, self.head_dim).transpose(0, 1)
    mixed = mixed + weights[..., PREFIX:].view(self.kv_heads, n, group, 1).transpose(0, 1) * v
    x = x + linear(mixed.reshape(n, -1), attention.o_proj.weight)
    return x + self.block.mlp(self.block.post_attention_layernorm(x))

  def attack_next(self):
    """One position: distances of all candidates, the nearest id."""
    seen = self.seen[len(self.guesses)].float()
    distances = [(self.states(first, min(first + BATCH, len(self.embedding))).float() - seen).square().sum(-1)
                 for first in range(0, len(self.embedding), BATCH)]
    self.guesses.append(torch.cat(distances).argmin().item())

  def check(self):
    """A fast answer that is wrong is no measurement: every secret must have been found."""
    wrong = [(guess, secret) for guess, secret in zip(self.guesses, self.secrets) if guess != secret]
    if wrong or not self.guesses:
      raise SystemExit(f"vocabulary matching failed at {len(wrong)} of {len(self.guesses)} positions (guess, secret): {wrong}")
