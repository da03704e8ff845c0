"""A LLaMA-family forward pass in float64, written from the formulas and not from transformers.

The generators compare PyTorch's float32 results with it: that checks both, and says how much of a difference is rounding.
"""
import math

import torch


def frequencies(config, head_dim):
  """Rotary frequencies [head_dim / 2], with the Llama-3 correction for long wavelengths where the configuration asks for it."""
  rope = config.rope_parameters
  plain = float(rope["rope_theta"]) ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
  if rope["rope_type"] != "llama3":
    return plain
  turns = rope["original_max_position_embeddings"] * plain / (2 * math.pi)  # rotations within the original context
  low, high = rope["low_freq_factor"], rope["high_freq_factor"]
  keep = ((turns - low) / (high - low)).clamp(0, 1)
  return keep * plain + (1 - keep) * plain / rope["factor"]


def forward(model, ids, block=0):
  """Runs one sequence [T]. Returns states [blocks + 1, T, d] before the final norm, logits [T, V], and q, k (rotated), v
  [T, heads, head_dim] and attention [heads, T, T] of `block`."""
  config, weights = model.config, {name: value.detach().double() for name, value in model.state_dict().items()}
  heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
  head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
  length, half, group = len(ids), head_dim // 2, heads // kv_heads
  angle = torch.arange(length, dtype=torch.float64)[:, None, None] * frequencies(config, head_dim)
  cos, sin = angle.cos(), angle.sin()

  def norm(x, name):
    return x / (x.pow(2).mean(-1, keepdim=True) + config.rms_norm_eps).sqrt() * weights[name]

  def linear(x, name):
    return x @ weights[name + ".weight"].T + weights.get(name + ".bias", 0)

  def rotate(x):
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

  x = weights["model.embed_tokens.weight"][ids]
  states, caught = [x], {}
  for layer in range(config.num_hidden_layers):
    p = f"model.layers.{layer}."
    h = norm(x, p + "input_layernorm.weight")
    q = rotate(linear(h, p + "self_attn.q_proj").view(length, heads, head_dim))
    k = rotate(linear(h, p + "self_attn.k_proj").view(length, kv_heads, head_dim))
    v = linear(h, p + "self_attn.v_proj").view(length, kv_heads, head_dim)
    scores = torch.einsum("thd,shd->hts", q, k.repeat_interleave(group, 1)) / math.sqrt(head_dim)
    attention = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -math.inf).softmax(-1)
    if layer == block:
      caught = {"q": q, "k": k, "v": v, "attention": attention}
    mixed = torch.einsum("hts,shd->thd", attention, v.repeat_interleave(group, 1)).reshape(length, -1)
    x = x + linear(mixed, p + "self_attn.o_proj")
    h = norm(x, p + "post_attention_layernorm.weight")
    gate = linear(h, p + "mlp.gate_proj")
    x = x + linear(gate * gate.sigmoid() * linear(h, p + "mlp.up_proj"), p + "mlp.down_proj")
    states.append(x)
  logits = norm(x, "model.norm.weight") @ weights["lm_head.weight"].T
  return {"hidden_states": torch.stack(states), "logits": logits, **caught}
