"""Writes what LoRA training of the dequantised SmolLM2-135M-Instruct computes: loss, gradients and ten AdamW steps, as sketches.

Usage: training_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf [OUT_DIR]        (default: training/ beside this script)
Needs torch, transformers, peft, gguf, safetensors, numpy. Takes about 90 seconds and 10 GB of memory.

Writes smollm2.safetensors, two sequences of 24 and 16 tokens packed one after another (T = 40; sequence s in rows
offsets[s] ..< offsets[s + 1]), each run alone. Adapters as in training.py, r = 4, alpha = 8, on all seven matrices of all 30 blocks.

The 420 adapter matrices go in one order: block 0 ... 29; within a block q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj,
down_proj; of each A [4, in], then B [out, 4]; row by row. They are not stored: one SplitMix (Tests/TestSupport) of state 20 draws
their values in that order, float32((2 * uniform() - 1) * 0.02).

A sketch of a list of tensors has a row [norm, p0, p1, p2, p3] for each: its Euclidean norm and its inner products with four vectors
of +1 and -1. A SplitMix of state 21, started anew for every list, draws one number for each element in order; where bit j of it is
set, the element counts negatively in pj. The signs are independent, so pj of a difference e has mean square ||e||^2.

  token_ids [T], offsets [3]          int64
  labels [T]                          int64, -100 where ignored, not shifted, as in training.py
  adapter_bits [420]                  int64, the sum of the float32 bit patterns of each adapter matrix at the start
  loss [1]                            sum of the negative log-likelihoods of all labelled tokens / their number
  gradients [420, 5]                  sketch of the loss's gradients with respect to the adapter matrices
  embedding_gradients [T, 5]          ... with respect to the input embedding of each token; zero at the last of a sequence
  losses [10], clip_norms [10]        loss and gradient norm before each step and before clipping
  changes [420, 5]                    sketch of what ten steps of AdamW (training.py's, at rate 1e-3, norm clipped to 1) added

All values are those of a float64 run of the formulas (training.py's exact_logits, differentiated and trained by PyTorch), stored as
float32, and not those of PEFT: they are the better judge, and model.double() is not one, because transformers keeps norms, softmax
and rotary angles in float32. PyTorch + PEFT (float32, eager attention) must agree before anything is written. Found, norms of
differences relative to the norm of the float64 value: loss 1.8e-6; adapter gradients at most 2.2e-4 (median 3.4e-5); embedding
gradients at most 5.9e-4; over ten steps losses within 1.5e-5, gradient norms 3.4e-5, changes at most 4.2e-4 (median 5.4e-5).

The same versions of torch, transformers and peft write the same bytes again.
"""
import sys
from pathlib import Path

import numpy as np
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from training import ALPHA, RANK, TARGETS, exact_logits, gradients, mean_loss, module_name, train

# Cut to 24 and 16 tokens.
TEXTS = [
  "The lighthouse keeper wrote down the weather every evening, and in forty years he missed only the night his daughter was born.",
  "Please return the blue umbrella to the second floor before the library closes at six today.",
]
LENGTHS = (24, 16)
# Positions without a label: the beginnings, as if they were prompts, and one inside each sequence.
IGNORED = ((0, 1, 2, 3, 13), (0, 1, 9))
RATE = 1e-3
BOUND, ADAPTER_SEED, SIGN_SEED, SIGNS = 0.02, 20, 21, 4
TOLERANCE, LOSS_TOLERANCE = 1e-3, 1e-4


class SplitMix:
  """TestSupport's generator. Draw k is a function of seed + k * GAMMA, all modulo 2^64, so an array is drawn at once."""
  GAMMA = 0x9E3779B97F4A7C15

  def __init__(self, seed):
    self.state = seed

  def draw(self, count):
    z = np.uint64(self.state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(self.GAMMA)
    self.state = (self.state + count * self.GAMMA) % 2**64
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))

  def uniform(self, count):
    """Float64 in (0, 1)."""
    return ((self.draw(count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def fill_adapters(model):
  """Fills every lora_A and lora_B. Returns {"a.{i}.{n}": parameter, "b.{i}.{n}": parameter} in the order of the fixture."""
  adapters, random = {}, SplitMix(ADAPTER_SEED)
  for block in range(model.config.num_hidden_layers):
    for target in TARGETS:
      module = model.get_submodule("base_model.model." + module_name(block, target))
      assert module.scaling["default"] == ALPHA / RANK
      for key, lora in (("a", module.lora_A), ("b", module.lora_B)):
        weight = lora["default"].weight
        assert weight.requires_grad and weight.dtype == torch.float32
        values = ((2 * random.uniform(weight.numel()) - 1) * BOUND).astype(np.float32)
        with torch.no_grad():
          weight.copy_(torch.from_numpy(values).view(weight.shape))
        adapters[f"{key}.{block}.{target}"] = weight
  trained = [p for p in model.parameters() if p.requires_grad]
  assert {id(p) for p in trained} == {id(p) for p in adapters.values()}, "something besides the adapters is trained"
  return adapters


def sketch(tensors):
  """[tensors, 1 + SIGNS]: Euclidean norm and projections of each, added up in float64."""
  random, rows = SplitMix(SIGN_SEED), []
  for tensor in tensors:
    values = tensor.detach().double().numpy().ravel()
    bits = random.draw(len(values))
    signs = [1.0 - 2.0 * (bits >> np.uint64(j) & np.uint64(1)).astype(np.float64) for j in range(SIGNS)]
    rows.append([np.sqrt((values * values).sum()), *((s * values).sum() for s in signs)])
  return torch.tensor(np.array(rows)).float()


def norm_error(value, true):
  """||value - true|| / ||true||; 0 where both are zero."""
  difference, size = (value.detach().double() - true.detach()).norm().item(), true.detach().norm().item()
  return difference / size if size > 0 else difference


def check(what, errors, tolerance):
  """Stops where PEFT's float32 and the float64 values differ by more than `tolerance`."""
  worst = max(errors, key=errors.get)
  print(f"float32 against float64: {what} at most {errors[worst]:.2e} {worst}, median {np.median(list(errors.values())):.2e}")
  if not all(error < tolerance for error in errors.values()):  # so that NaN fails too
    sys.exit(f"{what} of float32 and float64 differ by {errors[worst]}")


def main(gguf, out):
  torch.set_num_threads(1)
  torch.use_deterministic_algorithms(True)
  assert SplitMix(0).draw(1)[0] == 0xE220A8397B1DCDAF
  gguf = Path(gguf).resolve()
  tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
  base = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32, attn_implementation="eager")
  weights = {name: value.detach().double() for name, value in base.state_dict().items()}  # before PEFT renames them
  config = base.config
  model = get_peft_model(base, LoraConfig(
    r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=list(TARGETS), task_type="CAUSAL_LM"))
  adapters = fill_adapters(model)
  start = {name: p.detach().clone() for name, p in adapters.items()}

  batch = [tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[0] for text in TEXTS]
  assert all(len(ids) >= length for ids, length in zip(batch, LENGTHS)), [len(ids) for ids in batch]
  ids = torch.cat([tokens[:length] for tokens, length in zip(batch, LENGTHS)])
  offsets = torch.tensor([0, *LENGTHS]).cumsum(0)
  bounds = offsets.tolist()
  labels = ids.clone()
  for first, ignored in zip(bounds, IGNORED):
    labels[[first + t for t in ignored]] = -100

  def loss_of(embeddings):
    return mean_loss(lambda x: model(inputs_embeds=x[None], use_cache=False).logits[0], embeddings, labels, bounds)

  def exact_loss(adapters, embeddings):
    return mean_loss(lambda x: exact_logits(config, weights, adapters, x), embeddings, labels, bounds)

  plain = model.get_input_embeddings().weight.detach()[ids]
  embeddings, true_embeddings = plain.clone().requires_grad_(), plain.double().requires_grad_()
  twin = {name: p.double().requires_grad_() for name, p in start.items()}
  loss, true_loss = loss_of(embeddings), exact_loss(twin, true_embeddings)
  grads, true_grads = gradients(adapters, embeddings, loss), gradients(twin, true_embeddings, true_loss)
  losses, norms = train(adapters, lambda: loss_of(plain), RATE)
  true_losses, true_norms = train(twin, lambda: exact_loss(twin, plain.double()), RATE)

  by_token, true_by_token = grads.pop("grad_embedding"), true_grads.pop("grad_embedding")
  changes, true_changes = ({name: p.detach().double() - start[name].double() for name, p in a.items()} for a in (adapters, twin))
  check("loss", {"": norm_error(loss, true_loss)}, LOSS_TOLERANCE)
  check("gradients", {name: norm_error(g, true_grads[name]) for name, g in grads.items()}, TOLERANCE)
  check("embedding_gradients", {t: norm_error(g, by) for t, (g, by) in enumerate(zip(by_token, true_by_token))}, TOLERANCE)
  check("losses", dict(enumerate((losses - true_losses).abs().tolist())), LOSS_TOLERANCE)
  check("clip_norms", dict(enumerate((norms / true_norms - 1).abs().tolist())), LOSS_TOLERANCE)
  check("changes", {name: norm_error(c, true_changes[name]) for name, c in changes.items()}, TOLERANCE)

  out.mkdir(parents=True, exist_ok=True)
  file = out / "smollm2.safetensors"
  save_file({
    "token_ids": ids, "offsets": offsets, "labels": labels,
    "adapter_bits": torch.stack([p.view(torch.int32).long().bitwise_and(0xFFFFFFFF).sum() for p in start.values()]),
    "loss": true_loss.detach().float().reshape(1), "gradients": sketch(true_grads.values()),
    "embedding_gradients": sketch(true_by_token), "losses": true_losses.float(), "clip_norms": true_norms.float(),
    "changes": sketch(true_changes.values()),
  }, file)
  print("texts", [tokenizer.decode(ids[s:e]) for s, e in zip(bounds[:-1], bounds[1:])])
  print("losses", [round(v, 6) for v in true_losses.tolist()], "clip_norms", [round(v, 6) for v in true_norms.tolist()])
  print("labelled", int((labels != -100).sum()), "bytes", file.stat().st_size)
  print("torch", torch.__version__, "transformers", transformers.__version__, "peft", peft.__version__)


if __name__ == "__main__":
  main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "training")
