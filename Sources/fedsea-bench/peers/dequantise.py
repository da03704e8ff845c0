"""Writes a GGUF checkpoint as a Hugging Face folder in float32. Usage: dequantise.py CHECKPOINT.gguf OUT_DIR"""
import hashlib
import os
import shutil
import sys
from pathlib import Path

SOURCE = "source.sha256"  # which file the folder was made from


def ensure(gguf, out):
  """Writes `out` unless it already holds the checkpoint `gguf`; says so on stderr. The folder appears whole or not at all."""
  with open(gguf, "rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest() if sys.version_info >= (3, 11) else hashlib.sha256(file.read()).hexdigest()
  if (out / SOURCE).is_file() and (out / SOURCE).read_text().strip() == digest:
    return
  if out.exists() and not (out / SOURCE).is_file():
    sys.exit(f"{out} exists and was not written by this script: name another folder with --hf")
  print(f"dequantising {gguf} into {out}", file=sys.stderr)
  partial = out.with_name(out.name + ".partial")
  shutil.rmtree(partial, ignore_errors=True)
  write(gguf, partial)
  (partial / SOURCE).write_text(digest + "\n")
  shutil.rmtree(out, ignore_errors=True)
  partial.rename(out)


def write(gguf, out):
  """Dequantises every matrix with transformers' GGUF reader; config.json keeps no trace of the quantisation."""
  import torch
  from transformers import AutoModelForCausalLM, AutoTokenizer
  folder, name = os.path.split(os.path.abspath(gguf))
  model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
  plain = type(model)(type(model.config)(**{k: v for k, v in model.config.to_dict().items() if k != "quantization_config"}))
  plain.load_state_dict(model.state_dict())
  plain.save_pretrained(out)
  AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(out)


if __name__ == "__main__":
  ensure(Path(sys.argv[1]), Path(sys.argv[2]))
