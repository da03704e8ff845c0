"""Writes what PyTorch (float32) computes with the dequantised SmolLM2-135M-Instruct: states, logits, greedy text, perplexity.

Usage: generate_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf [OUT_DIR]        (default: smollm2/ beside this script)
Needs torch, transformers, gguf, safetensors. Writes expected.safetensors and expected.json; README.md lists what they hold.
"""
import hashlib
import json
import os
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import exact

# Two sequences, packed: cut to 24 and 9 tokens.
TEXTS = [
  "Before the ferry left at 7:45, Marta counted 312 crates of apples twice, signed the grey form, and waved to the pilot.",
  "My locker code is 90417, please keep it.",
]
LENGTHS = (24, 9)
# Rows of the packed batch whose states and logits are kept: 0 and 24 are first positions, where this model has its massive
# activations; 23 and 32 are last positions.
POSITIONS = (0, 1, 2, 5, 11, 12, 18, 23, 24, 25, 28, 32)
PROMPT = "The capital of France is"
NEW_TOKENS = 48
TOP, STRIDE = 32, 384  # 49152 / 384 = 128 ids

# Cut to its first 200 tokens.
PERPLEXITY_TEXT = """\
The bakery on Lindenstrasse opens long before the trams run. At four in the morning the owner, a tall man with flour in his \
eyebrows, lights the old oven and listens to the radio news with the sound turned low. He bakes rye bread first, because it \
needs the strongest heat, and then the rolls, the poppy seed cakes and the small plum tarts that the children from the school \
across the street buy with their own coins. On Thursdays he adds a loaf with walnuts, which sells out within an hour.

Last winter the oven failed for three days. Instead of closing, he borrowed a kitchen from the church and carried the dough \
through the snow on a sledge. The neighbours still talk about it. "Nobody asked for less bread," he told a reporter, "so I \
could not make less." The repair cost him 2,850 euros, about as much as the shop earned in a good month. By spring he had paid \
it back, and he painted the date of the accident on the oven door in small blue figures, so that he would not forget how \
quickly a warm room can turn cold when a single worn part is left unchecked for too long."""


def fold_states(model, ids):
  """One sequence [T] → states [blocks + 1, T, d] before the final norm, and logits [T, V]."""
  states, layers = [], model.model.layers
  hooks = [layers[0].register_forward_pre_hook(lambda m, args: states.append(args[0][0]))]
  for layer in layers:
    hooks.append(layer.register_forward_hook(lambda m, args, out: states.append((out[0] if isinstance(out, tuple) else out)[0])))
  with torch.no_grad():
    logits = model(input_ids=ids[None], use_cache=False).logits[0]
  for hook in hooks:
    hook.remove()
  assert len(states) == len(layers) + 1, "a hook did not fire"
  return torch.stack(states), logits


def greedy(model, prompt):
  """NEW_TOKENS ids by argmax, each from a full forward pass (no cache), and the lead of each over the runner-up in logits."""
  ids, leads = prompt.clone(), []
  for _ in range(NEW_TOKENS):
    with torch.no_grad():
      best = model(input_ids=ids[None], use_cache=False, logits_to_keep=1).logits[0, -1].topk(2)
    leads.append(best.values[0] - best.values[1])
    ids = torch.cat([ids, best.indices[:1]])
  return ids[len(prompt):], torch.stack(leads)


def main(gguf, out):
  folder, name = os.path.split(os.path.abspath(gguf))
  sha256 = hashlib.sha256(Path(gguf).read_bytes()).hexdigest()
  tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
  model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()

  def encode(text, length=None):
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[0]
    assert length is None or len(ids) >= length, f"{len(ids)} tokens, {length} wanted: {text!r}"
    return ids[:length]

  batch = [encode(text, length) for text, length in zip(TEXTS, LENGTHS)]
  runs = [fold_states(model, ids) for ids in batch]
  states, logits = torch.cat([r[0] for r in runs], 1), torch.cat([r[1] for r in runs])
  rows = torch.tensor(POSITIONS)
  top = logits[rows].topk(TOP)
  strided = torch.arange(0, logits.shape[1], STRIDE)
  prompt = encode(PROMPT)
  continuation, leads = greedy(model, prompt)
  text = encode(PERPLEXITY_TEXT, 200)
  with torch.no_grad():
    nll = -model(input_ids=text[None], use_cache=False).logits[0, :-1].log_softmax(-1)[torch.arange(199), text[1:]]

  # How much of a difference from these float32 states is their own rounding.
  twin = [exact.forward(model, ids) for ids in batch]
  true_states, true_logits = torch.cat([t["hidden_states"] for t in twin], 1), torch.cat([t["logits"] for t in twin])
  rms = true_states.pow(2).mean((1, 2)).sqrt()
  error = ((states - true_states).abs().amax((1, 2)) / rms).max().item()
  logit_error = (logits - true_logits).abs().max().item()
  assert error < 2e-4 and logit_error < 1e-3, f"transformers and the float64 formulas differ: {error}, {logit_error}"
  first = torch.tensor([0, LENGTHS[0]])

  out.mkdir(parents=True, exist_ok=True)
  save_file({
    "token_ids": torch.cat(batch), "offsets": torch.tensor([0, LENGTHS[0], sum(LENGTHS)]), "positions": rows,
    "hidden_states": states[:, rows].contiguous(), "block_rms": rms.float(),
    "exact_positions": first, "exact_states": true_states[:, first].float().contiguous(),
    "top_ids": top.indices, "top_logits": top.values, "strided_ids": strided, "strided_logits": logits[rows][:, strided].contiguous(),
    "prompt_ids": prompt, "greedy_ids": continuation, "greedy_leads": leads,
    "perplexity_ids": text, "perplexity_nll": nll,
  }, out / "expected.safetensors")
  facts = {
    "checkpoint": {"file": name, "sha256": sha256, "dtype": "dequantised to float32"},
    "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
    "texts": [tokenizer.decode(ids) for ids in batch],
    "prompt": PROMPT, "greedy_text": tokenizer.decode(continuation),
    "perplexity": {"text": tokenizer.decode(text), "tokens": 200, "predicted": 199, "mean_nll_nats": nll.double().mean().item(),
                   "perplexity": nll.double().mean().exp().item()},
    "float32_against_float64": {"largest_state_error_over_block_rms": error, "largest_logit_error": logit_error},
  }
  (out / "expected.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
  print(json.dumps(facts, indent=2, ensure_ascii=False))
  print("smallest greedy lead", leads.min().item(), "bytes", sum(f.stat().st_size for f in out.iterdir()))


if __name__ == "__main__":
  main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "smollm2")
