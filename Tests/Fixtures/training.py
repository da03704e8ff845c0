"""Writes what PEFT and PyTorch (float32, eager attention) compute when they train LoRA adapters on a tiny LLaMA: loss, gradients, ten AdamW steps.

Usage: training.py [OUT_DIR]        (default: training/ beside this script; needs torch, transformers, peft, safetensors)

Reads llama/tiny-gqa beside this script. Writes expected.safetensors, three sequences packed one after another (T = 17 tokens,
sequence s in rows offsets[s] ..< offsets[s + 1]), each run alone; {n} is one of q_proj, k_proj, v_proj, o_proj, gate_proj,
up_proj, down_proj, {i} a block. An adapter adds (alpha / r) * b @ a = 2 * b @ a to its weight; r = 4, alpha = 8, no dropout.

  token_ids [T], offsets [4]          int64
  labels [T]                          int64, -100 where ignored (the first two positions of each sequence), not shifted: labels[t]
                                      is the token at t, predicted from t - 1
  loss [1]                            sum of the negative log-likelihoods of all labelled tokens / their number
  a.{i}.{n} [r, in], b.{i}.{n} [out, r]    the adapters at the start, all random (b is not zero)
  grad_a.{i}.{n}, grad_b.{i}.{n}      gradients of the loss there
  grad_embedding [T, hidden]          ... with respect to the input embeddings; zero at the last token of a sequence, which predicts nothing
  losses [10], clip_norms [10]        loss and gradient norm before each step and before clipping
  final_a.{i}.{n}, final_b.{i}.{n}    the adapters after ten steps of AdamW on all of them, norm clipped to 1

Loss and gradients must agree with a float64 forward pass written from the formulas before anything is written. The same versions
of torch, transformers and peft write the same bytes again.
"""
import math
import sys
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")
TARGETS = ATTENTION + MLP
RANK, ALPHA, INIT_STD = 4, 8, 0.05
LENGTHS, IGNORED, SEED = (5, 9, 3), 2, 20
STEPS, CLIP = 10, 1.0
ADAMW = {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-5, "weight_decay": 0.01}
TOLERANCE = 1e-4


def module_name(block, target):
  return f"model.layers.{block}.{'self_attn' if target in ATTENTION else 'mlp'}.{target}"


def make_adapters(model, generator):
  """Fills every lora_A and lora_B with normal values. Returns {"a.{i}.{n}": parameter, "b.{i}.{n}": parameter}."""
  adapters = {}
  for block in range(model.config.num_hidden_layers):
    for target in TARGETS:
      module = model.get_submodule("base_model.model." + module_name(block, target))
      assert module.scaling["default"] == ALPHA / RANK
      for key, lora in (("a", module.lora_A), ("b", module.lora_B)):
        weight = lora["default"].weight
        assert weight.requires_grad and weight.dtype == torch.float32
        with torch.no_grad():
          weight.copy_(torch.randn(weight.shape, generator=generator) * INIT_STD)
        adapters[f"{key}.{block}.{target}"] = weight
  trained = [p for p in model.parameters() if p.requires_grad]
  assert {id(p) for p in trained} == {id(p) for p in adapters.values()}, "something besides the adapters is trained"
  return adapters


def mean_loss(logits_of, embeddings, labels, offsets):
  """`logits_of` maps embeddings [t, d] of one sequence to logits [t, V]. Position t - 1 predicts labels[t]."""
  total, count = 0, 0
  for start, end in zip(offsets[:-1], offsets[1:]):
    logits, wanted = logits_of(embeddings[start:end])[:-1], labels[start + 1:end]
    keep = wanted != -100
    total = total - logits[keep].log_softmax(-1).gather(1, wanted[keep, None]).sum()
    count += int(keep.sum())
  assert count == int((labels != -100).sum()), "a first position is labelled"
  return total / count


def exact_logits(config, weights, adapters, x):
  """The forward pass of one sequence in float64 (transformers' own norms and softmax stay in float32 whatever the model's type)."""
  heads, kv_heads, head_dim = config.num_attention_heads, config.num_key_value_heads, config.head_dim
  rope = config.rope_parameters
  assert rope["rope_type"] == "default"
  length, half = len(x), head_dim // 2
  angle = torch.arange(length, dtype=torch.float64)[:, None, None] * float(rope["rope_theta"]) ** (
    -torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
  cos, sin = angle.cos(), angle.sin()

  def norm(x, name):
    return x / (x.pow(2).mean(-1, keepdim=True) + config.rms_norm_eps).sqrt() * weights[name]

  def linear(x, block, target):
    a, b = adapters[f"a.{block}.{target}"], adapters[f"b.{block}.{target}"]
    return x @ (weights[module_name(block, target) + ".weight"] + ALPHA / RANK * b @ a).T

  def rotate(x):
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

  for block in range(config.num_hidden_layers):
    p = f"model.layers.{block}."
    h = norm(x, p + "input_layernorm.weight")
    q = rotate(linear(h, block, "q_proj").view(length, heads, head_dim))
    k = rotate(linear(h, block, "k_proj").view(length, kv_heads, head_dim)).repeat_interleave(heads // kv_heads, 1)
    v = linear(h, block, "v_proj").view(length, kv_heads, head_dim).repeat_interleave(heads // kv_heads, 1)
    scores = torch.einsum("thd,shd->hts", q, k) / math.sqrt(head_dim)
    attention = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -math.inf).softmax(-1)
    x = x + linear(torch.einsum("hts,shd->thd", attention, v).reshape(length, -1), block, "o_proj")
    h = norm(x, p + "post_attention_layernorm.weight")
    gate = linear(h, block, "gate_proj")
    x = x + linear(gate * gate.sigmoid() * linear(h, block, "up_proj"), block, "down_proj")
  return norm(x, "model.norm.weight") @ weights["lm_head.weight"].T


def gradients(adapters, embeddings, loss):
  values = torch.autograd.grad(loss, [*adapters.values(), embeddings])
  return dict(zip([f"grad_{name}" for name in adapters] + ["grad_embedding"], values))


def train(adapters, loss_of, rate=ADAMW["lr"]):
  """Ten steps on the same batch; changes the adapters. Returns losses and gradient norms, both from before each step."""
  parameters = list(adapters.values())
  optimizer = torch.optim.AdamW(parameters, **{**ADAMW, "lr": rate})
  losses, norms = [], []
  for _ in range(STEPS):
    optimizer.zero_grad()
    loss = loss_of()
    loss.backward()
    norms.append(torch.nn.utils.clip_grad_norm_(parameters, CLIP).detach())
    losses.append(loss.detach())
    optimizer.step()
  return torch.stack(losses), torch.stack(norms)


def deviation(value, true):
  """The largest difference, relative to the largest magnitude in the tensor."""
  return ((value.detach().double() - true.detach()).abs().max() / true.detach().abs().max()).item()


def main(out):
  torch.set_num_threads(1)
  torch.use_deterministic_algorithms(True)
  folder = Path(__file__).parent / "llama" / "tiny-gqa"
  base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
  weights = {name: value.detach().double() for name, value in base.state_dict().items()}  # before PEFT renames them
  config = base.config
  model = get_peft_model(base, LoraConfig(
    r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=list(TARGETS), task_type="CAUSAL_LM"))
  generator = torch.Generator().manual_seed(SEED)
  adapters = make_adapters(model, generator)
  start = {name: p.detach().clone() for name, p in adapters.items()}

  ids = torch.randint(config.vocab_size, (sum(LENGTHS),), generator=generator)
  offsets = torch.tensor([0, *LENGTHS]).cumsum(0)
  labels = ids.clone()
  for first in offsets[:-1].tolist():
    labels[first:first + IGNORED] = -100
  bounds = offsets.tolist()

  def loss_of(embeddings):
    return mean_loss(lambda x: model(inputs_embeds=x[None], use_cache=False).logits[0], embeddings, labels, bounds)

  def exact_loss(adapters, embeddings):
    return mean_loss(lambda x: exact_logits(config, weights, adapters, x), embeddings, labels, bounds)

  plain = model.get_input_embeddings().weight.detach()[ids]
  embeddings = plain.clone().requires_grad_()
  loss = loss_of(embeddings)
  grads = gradients(adapters, embeddings, loss)
  assert all(g.abs().max() > 0 for g in grads.values()), "a gradient is zero"

  # transformers' own shift and mean over the labelled tokens, weighted by their number, must be the same loss.
  with torch.no_grad():
    counts = [int((labels[s:e] != -100).sum()) for s, e in zip(bounds[:-1], bounds[1:])]
    own = sum(n * model(input_ids=ids[None, s:e], labels=labels[None, s:e]).loss
              for n, s, e in zip(counts, bounds[:-1], bounds[1:])) / sum(counts)
  assert abs(own.item() - loss.item()) < 1e-6 * loss.item(), f"transformers' loss is {own.item()}, not {loss.item()}"

  twin = {name: p.double().requires_grad_() for name, p in start.items()}
  true_embeddings = plain.double().requires_grad_()
  true_loss = exact_loss(twin, true_embeddings)
  true_grads = gradients(twin, true_embeddings, true_loss)
  errors = {"loss": deviation(loss, true_loss), **{name: deviation(g, true_grads[name]) for name, g in grads.items()}}
  worst = max(errors, key=errors.get)
  print(f"float32 against float64: loss {errors['loss']:.2e}, largest {errors[worst]:.2e} ({worst})")
  if not errors[worst] < TOLERANCE:  # so that NaN fails too
    sys.exit(f"float32 and float64 differ by {errors[worst]} in {worst}")

  losses, norms = train(adapters, lambda: loss_of(plain))
  true_losses, true_norms = train(twin, lambda: exact_loss(twin, plain.double()))
  assert losses[0] == loss.detach()
  print(f"after {STEPS} steps: losses {deviation(losses, true_losses):.2e}, clip_norms {deviation(norms, true_norms):.2e}, "
        f"adapters {max(deviation(p, twin[name]) for name, p in adapters.items()):.2e}")

  out.mkdir(parents=True, exist_ok=True)
  tensors = {
    "token_ids": ids, "offsets": offsets, "labels": labels, "loss": loss.detach().reshape(1), **start, **grads,
    "losses": losses, "clip_norms": norms, **{f"final_{name}": p.detach() for name, p in adapters.items()},
  }
  file = out / "expected.safetensors"
  save_file({name: t.contiguous() for name, t in tensors.items()}, file)
  print(f"loss {loss.item():.7f} labelled {sum(counts)} tensors {len(tensors)} bytes {file.stat().st_size}")
  print("losses", [round(v, 6) for v in losses.tolist()], "clip_norms", [round(v, 6) for v in norms.tolist()])
  print("torch", torch.__version__, "transformers", transformers.__version__, "peft", peft.__version__)


if __name__ == "__main__":
  main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "training")
