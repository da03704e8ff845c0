"""Measures PyTorch + PEFT and llama.cpp on the work that fedsea-bench measures, one peer after the other, each in its own process.

Usage: peers.py CHECKPOINT.gguf [--only f32,bf16,llama.cpp] [--attack] [--threads 2] [--runs 5] [--hf DIR] [--json]

Runs in the environment that setup_peers.sh makes. PyTorch reads the dequantised checkpoint from --hf (default: `hf` beside the
environment), which is written first if it is missing. --attack measures one position of exhaustive vocabulary matching instead
of the rest. With --json each result is one line on stdout:
  {"peer", "measure", "unit", "median", "min", "max", "runs", "threads"}                 a measurement after one warm-up run
  {"peer", "measure": "greedy text", "text", "token_ids", "threads"}                     48 tokens after PROMPT
Numbers compare only with numbers of the same run on the same, otherwise idle machine.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PEERS = ("f32", "bf16", "llama.cpp")
PROMPT = "The capital of France is"
NEW_TOKENS = 48


class Meter:
  """Times work and prints results. `runs`: timed repetitions after one warm-up."""

  def __init__(self, peer, threads, runs, as_json):
    self.peer, self.threads, self.runs, self.as_json = peer, threads, runs, as_json

  def rate(self, measure, amount, unit, work, prepare=lambda: None, runs=None):
    """Reports `amount` per second of `work()`; `prepare()` runs before each, outside the clock."""
    self._report(measure, unit, [amount / s for s in self._times(work, prepare, runs or self.runs)])

  def seconds(self, measure, work, runs=None):
    """Reports the seconds that `work()` takes."""
    self._report(measure, "s", self._times(work, lambda: None, runs or self.runs))

  def text(self, text, token_ids):
    """Reports a greedy continuation."""
    if self.as_json:
      self._line(measure="greedy text", text=text, token_ids=token_ids)
    else:
      print(f"{self.peer:<16} greedy text: {text!r}", flush=True)

  def _times(self, work, prepare, runs):
    times = []
    for i in range(runs + 1):
      prepare()
      start = time.perf_counter()
      work()
      if i > 0:
        times.append(time.perf_counter() - start)
    return times

  def _report(self, measure, unit, values):
    middle, low, high = statistics.median(values), min(values), max(values)
    if self.as_json:
      rounded = {k: float(f"{v:.5g}") for k, v in {"median": middle, "min": low, "max": high}.items()}
      self._line(measure=measure, unit=unit, **rounded, runs=len(values))
    else:
      print(f"{self.peer:<16} {measure:<36} {middle:10.4g} {unit:<14} [{low:.4g}, {high:.4g}] n={len(values)}", flush=True)

  def _line(self, **fields):
    print(json.dumps({"peer": self.peer, **fields, "threads": self.threads}, ensure_ascii=False), flush=True)


def arguments():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("gguf", type=Path)
  parser.add_argument("--only", default=None, help="comma-separated: " + ", ".join(PEERS))
  parser.add_argument("--attack", action="store_true")
  parser.add_argument("--threads", type=int, default=2)
  parser.add_argument("--runs", type=int, default=5)
  parser.add_argument("--hf", type=Path, default=Path(sys.prefix).parent / "hf")
  parser.add_argument("--json", action="store_true")
  args = parser.parse_args()
  # llama.cpp has no vocabulary matching to compare with.
  args.peers = args.only.split(",") if args.only else [p for p in PEERS if not (args.attack and p == "llama.cpp")]
  for peer in args.peers:
    if peer not in PEERS or (args.attack and peer == "llama.cpp"):
      parser.error(f"--only: no peer {peer!r} here")
  if args.threads < 1 or args.runs < 1:
    parser.error("--threads and --runs are at least 1")
  if not args.gguf.is_file():
    parser.error(f"no file {args.gguf}")
  return args


def main():
  args = arguments()
  if len(args.peers) > 1:  # a process each: no memory, thread pool or allocator state of one reaches the next
    common = [str(args.gguf), "--threads", str(args.threads), "--runs", str(args.runs), "--hf", str(args.hf)]
    common += ["--attack"] * args.attack + ["--json"] * args.json
    sys.exit(max(subprocess.run([sys.executable, __file__, "--only", peer, *common]).returncode for peer in args.peers))
  peer = args.peers[0]
  os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(args.threads)}
  if peer == "llama.cpp":
    import llama_cpp_peer
    llama_cpp_peer.measure(args.gguf, Meter("llama.cpp", args.threads, args.runs, args.json))
    return
  import dequantise
  import pytorch_peer
  dequantise.ensure(args.gguf, args.hf)
  meter = Meter("pytorch " + peer, args.threads, args.runs, args.json)
  (pytorch_peer.measure_attack if args.attack else pytorch_peer.measure)(args.hf, peer, meter)


if __name__ == "__main__":
  main()
