"""PyTorch with transformers and PEFT, float32 or bfloat16."""
import random

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

import embedding_optimisation
import vocabulary_matching
from peers import NEW_TOKENS, PROMPT

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def load(folder, dtype, threads):
  torch.set_num_threads(threads)
  torch.manual_seed(0)
  logging.disable_progress_bar()
  return AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype]).eval()


def random_ids(model, *shape):
  """Ordinary ids (the first 17 are special tokens), the same in every peer."""
  draw, count = random.Random(0), torch.Size(shape).numel()
  return torch.tensor([draw.randrange(17, model.config.vocab_size) for _ in range(count)]).view(shape)


def measure(folder, dtype, meter):
  model = load(folder, dtype, meter.threads)
  ids = random_ids(model, 1, 512)
  with torch.no_grad():
    # transformers computes the head at all 512 positions unless told otherwise; a prompt needs it at the last one only.
    meter.rate("prefill 512, all logits", 512, "tokens/s", lambda: model(input_ids=ids))
    meter.rate("prefill 512, last logits", 512, "tokens/s", lambda: model(input_ids=ids, logits_to_keep=1))
    # The prefill of 32 tokens is within the clock.
    meter.rate("decode 64 after 32", 64, "tokens/s", lambda: model.generate(
      input_ids=ids[:, :32], max_new_tokens=64, min_new_tokens=64, do_sample=False, pad_token_id=2), runs=min(meter.runs, 3))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = greedy(model, tokenizer(PROMPT, add_special_tokens=False, return_tensors="pt").input_ids)
  meter.text(tokenizer.decode(text), text)
  measure_training(model, meter)


def greedy(model, ids):
  """NEW_TOKENS most probable ids after `ids` [1, T], with the KV cache; does not stop at an end token."""
  out, cache, new = [], None, ids
  for _ in range(NEW_TOKENS):
    step = model(input_ids=new, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache, new = step.past_key_values, step.logits[:, -1].argmax(-1, keepdim=True)
    out.append(new.item())
  return out


def measure_training(model, meter, batch=4, length=128, rank=8):
  """One step: forward, loss on every token, backward into LoRA on q, k, v, o, AdamW."""
  adapter = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, task_type="CAUSAL_LM",
                       target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
  tuned = get_peft_model(model, adapter).train()
  optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-4)
  ids = random_ids(model, batch, length)

  def step():
    tuned(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)

  meter.rate(f"LoRA step {batch}x{length} r{rank} qkvo", batch * length, "tokens/s", step)


def measure_attack(folder, dtype, meter):
  model = load(folder, dtype, meter.threads)
  with torch.no_grad():
    target = vocabulary_matching.Target(model, random_ids(model, 1, 33 + meter.runs))
    meter.seconds(f"vocabulary matching p=1, {model.config.vocab_size} candidates", target.attack_next)
  target.check()
  embedding_optimisation.measure(model, meter)
