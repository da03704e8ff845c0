"""Writes four tiny random LLaMA-family checkpoints and what PyTorch (float32, eager attention) computes with them.

Usage: generate_tiny.py [OUT_DIR]        (default: the folder of this script; needs torch, transformers, safetensors)

Every folder holds config.json, the weights as safetensors, and expected.safetensors; README.md beside this script lists
names and shapes. The results must agree with exact.py before they are written. The same versions of torch and transformers write the same bytes again.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM
from transformers import Qwen2Config, Qwen2ForCausalLM

import exact

LENGTHS = (7, 19, 33)  # one ragged batch of three sequences, packed without padding
EMBEDDING, PROJECTION = 0.5, 0.2  # standard deviations: large enough that attention and MLP both move the state

LLAMA3 = {
  "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
  "original_max_position_embeddings": 32,
}

# What is written to config.json. Old releases of transformers write `rope_theta`, `rope_scaling` and `torch_dtype`, new ones
# `rope_parameters` and `dtype`: both spellings are in circulation, so both are here. Keys whose value is the default of the
# architecture are left out in some folders on purpose (head_dim, num_key_value_heads, tie_word_embeddings).
CHECKPOINTS = {
  "tiny-gqa": {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 80,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 384,
    "rms_norm_eps": 1e-5, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "tie_word_embeddings": True,
    "max_position_embeddings": 128, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "dtype": "float32",
  },
  "tiny-untied": {  # heads * head_dim = 64 is not hidden_size; num_key_value_heads is left out: as many as heads
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
    "num_hidden_layers": 3, "num_attention_heads": 4, "head_dim": 16, "vocab_size": 256, "rms_norm_eps": 1e-6,
    "rope_theta": 500000.0, "rope_scaling": LLAMA3, "tie_word_embeddings": False, "max_position_embeddings": 256,
    "hidden_act": "silu", "torch_dtype": "float32",
  },
  "tiny-qwen2": {  # biases on q, k and v are implied by the architecture; one KV head; the window of 16 is switched off
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 32, "intermediate_size": 72,
    "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 1, "vocab_size": 256, "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0, "tie_word_embeddings": True, "max_position_embeddings": 128, "hidden_act": "silu",
    "use_sliding_window": False, "sliding_window": 16, "max_window_layers": 3, "torch_dtype": "float32",
  },
  "tiny-mistral": {  # head_dim null and tie_word_embeddings left out, as in the published files
    "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 48, "intermediate_size": 112,
    "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": None, "vocab_size": 256,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": None, "max_position_embeddings": 128,
    "hidden_act": "silu", "torch_dtype": "bfloat16",
  },
}
FAMILIES = {
  "llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM),
  "mistral": (MistralConfig, MistralForCausalLM),
}
SHARD_SIZE = {"tiny-untied": "150KB"}  # two shards and an index
ATTENTION_BLOCK = 1  # the block whose q, k, v and attention maps are stored


def randomise(model, generator):
  """Draws every parameter in the order of its name: embeddings and head 0.5, matrices 0.2, biases 0.3, norms 1 ± 0.2."""
  for name, parameter in sorted(model.named_parameters()):
    draw = torch.randn(parameter.shape, generator=generator)
    if "norm" in name:
      draw = 1 + 0.2 * draw
    elif name.endswith("bias"):
      draw = 0.3 * draw
    else:
      draw = (EMBEDDING if "embed" in name or "lm_head" in name else PROJECTION) * draw
    parameter.data.copy_(draw)


def run(model, ids):
  """One sequence [T] through `model`: states [blocks + 1, T, d] before the final norm, logits, q, k, v, attention of a block.

  The states are caught by hooks, because the last entry of `output_hidden_states` is normed. q and k are what the
  attention receives (rotated); they are caught by wrapping the eager attention function.
  """
  states, caught = [], {}
  layers = model.model.layers
  hooks = [layers[0].register_forward_pre_hook(lambda m, args, kw: states.append((args[0] if args else kw["hidden_states"])[0]),
                                               with_kwargs=True)]
  for layer in layers:
    hooks.append(layer.register_forward_hook(lambda m, args, out: states.append((out[0] if isinstance(out, tuple) else out)[0])))
  module = sys.modules[type(model).__module__]
  original = module.eager_attention_forward

  def spy(attention, query, key, value, *args, **kwargs):
    out, weights = original(attention, query, key, value, *args, **kwargs)
    if attention.layer_idx == ATTENTION_BLOCK:
      caught.update(q=query[0].transpose(0, 1), k=key[0].transpose(0, 1), v=value[0].transpose(0, 1), attention=weights[0])
    return out, weights

  module.eager_attention_forward = spy
  try:
    with torch.no_grad():
      logits = model(input_ids=ids[None], use_cache=False).logits[0]
  finally:
    module.eager_attention_forward = original
    for hook in hooks:
      hook.remove()
  assert len(states) == len(layers) + 1 and caught, "a hook did not fire"
  return {"hidden_states": torch.stack(states), "logits": logits, **caught}


def pack(runs):
  """What `run` gives for each sequence → the tensors of expected.safetensors."""
  out = {name: torch.cat([r[name] for r in runs]) for name in ("logits", "q", "k", "v")}
  out["hidden_states"] = torch.cat([r["hidden_states"] for r in runs], dim=1)
  out.update({f"attention.{i}": r["attention"] for i, r in enumerate(runs)})
  return {name: value.contiguous() for name, value in out.items()}


def generate(name, config, folder):
  make_config, make_model = FAMILIES[config["model_type"]]
  stored = torch.bfloat16 if config.get("torch_dtype") == "bfloat16" else torch.float32
  generator = torch.Generator().manual_seed(20250 + list(CHECKPOINTS).index(name))
  folder.mkdir(parents=True, exist_ok=True)
  for old in folder.iterdir():
    old.unlink()
  model = make_model._from_config(make_config(**config), attn_implementation="eager", dtype=torch.float32).eval()
  randomise(model, generator)
  model.to(stored).save_pretrained(folder, max_shard_size=SHARD_SIZE.get(name, "10MB"))
  (folder / "generation_config.json").unlink(missing_ok=True)
  (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")

  # From here on only what was written counts.
  model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
  ids = [torch.randint(0, config["vocab_size"], (length,), generator=generator) for length in LENGTHS]
  expected = pack([run(model, sequence) for sequence in ids])
  twin = pack([exact.forward(model, sequence, ATTENTION_BLOCK) for sequence in ids])
  error = max((expected[k] - twin[k]).abs().max().item() for k in expected)
  assert error < 5e-5, f"{name}: transformers and the float64 formulas differ by {error}"
  expected |= {
    "token_ids": torch.cat(ids), "offsets": torch.tensor([0, *torch.tensor(LENGTHS).cumsum(0).tolist()]),
    "attention_block": torch.tensor([ATTENTION_BLOCK]),
  }
  save_file(expected, folder / "expected.safetensors")
  size = sum(f.stat().st_size for f in folder.iterdir() if f.name.startswith(("model", "config")))
  assert size < 250_000, f"{name}: {size} bytes"
  rms = expected["hidden_states"].pow(2).mean((1, 2)).sqrt()
  print(f"{name}: checkpoint {size} B, expected {(folder / 'expected.safetensors').stat().st_size} B, "
        f"state RMS {[round(x, 2) for x in rms.tolist()]}, logits' deviation {expected['logits'].std():.2f}, "
        f"largest difference from float64 {error:.1e}")


if __name__ == "__main__":
  torch.set_num_threads(1)
  root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
  for name, config in CHECKPOINTS.items():
    generate(name, config, root / name)
