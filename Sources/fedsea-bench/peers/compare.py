"""Prints the ratios of this project to its peers from the JSON lines of one benchmark session. Usage: compare.py RESULTS.jsonl

Rounds alternate between project and peers, so a drift of the machine shows as a spread between rounds; the ratio is that of the medians
over rounds, and the spread is the smallest and the largest ratio of a round.
"""
import collections
import json
import statistics
import sys

rounds = collections.defaultdict(list)
texts = {}
for line in open(sys.argv[1]):
  row = json.loads(line)
  if row["measure"] == "greedy text":
    texts[row["peer"]] = row["text"]
  else:
    rounds[row["peer"], row["measure"]].append((row["median"], row["unit"]))

# (measure, ours, peer, peer's measure, wanted ratio); for times the ratio is peer / ours
PAIRS = [
  ("prefill 512, all logits", "fedsea-audit f32", "pytorch f32", None, 2.2),
  ("prefill 512, last logits", "fedsea-audit f32", "pytorch f32", None, 2.2),
  ("prefill 512, all logits", "fedsea-audit bf16", "pytorch bf16", None, 1.5),
  ("prefill 512, last logits", "fedsea-audit stored", "llama.cpp", None, None),
  ("decode 64 after 32", "fedsea-audit f32", "pytorch f32", None, None),
  ("decode 64 after 32", "fedsea-audit bf16", "pytorch bf16", None, None),
  ("decode 64 after 32", "fedsea-audit stored", "llama.cpp", None, 1.0),
  ("LoRA step 4x128 r8 qkvo", "fedsea-audit f32", "pytorch f32", None, 2.8),
  ("LoRA step 4x128 r8 qkvo", "fedsea-audit bf16", "pytorch bf16", None, 2.2),
  ("load and first token", "fedsea-audit stored", "llama.cpp", None, None),
  ("vocabulary matching p=1, 49152 candidates", "fedsea-audit", "pytorch f32", None, None),
  ("relaxed vocabulary p=1, 256 candidates", "fedsea-audit f32", "pytorch f32", None, 3.0),
  ("free embedding p=1", "fedsea-audit f32", "pytorch f32", None, 3.0),
  ("relaxed vocabulary p=1, 256 candidates", "fedsea-audit bf16", "pytorch f32", None, None),
  ("free embedding p=1", "fedsea-audit bf16", "pytorch f32", None, None),
  ("dump of hidden states, 576 MiB", "fedsea-audit", "write", "raw sequential write, 576 MiB", 0.6),
]

print(f"\n{'measure':<44}{'ours':>24}{'peer':>24}{'ratio':>8}  {'per round':<16}{'wanted':>7}")
for measure, ours, peer, other, wanted in PAIRS:
  a, b = rounds.get((ours, measure)), rounds.get((peer, other or measure))
  if not a or not b:
    print(f"{measure:<44}{'not measured: ' + (ours if not a else peer):>24}")
    continue
  unit = a[0][1]
  ratio = lambda x, y: y / x if unit == "s" else x / y
  each = [ratio(x[0], y[0]) for x, y in zip(a, b)]
  x, y = statistics.median(v for v, _ in a), statistics.median(v for v, _ in b)
  print(f"{measure:<44}{f'{ours[13:] or ours} {x:.3g} {unit}':>24}{f'{peer} {y:.3g} {unit}':>24}{ratio(x, y):>8.2f}  "
        f"{f'{min(each):.2f}–{max(each):.2f}':<16}{f'≥ {wanted}' if wanted else '':>7}")


def median(peer, measure):
  return statistics.median(v for v, _ in rounds[peer, measure]) if (peer, measure) in rounds else None


# How much of what this machine multiplies at best, in the same run, a LoRA step comes to. Operations: fedsea-bench/StepCount.swift.
print("\nLoRA step 4x128, achieved against the best product of its largest shapes")
for precision in ("f32", "bf16"):
  peer = f"fedsea-audit {precision}"
  achieved = median(peer, "LoRA step 4x128 r8 qkvo, achieved")
  peaks = {measure[len("peak: "):]: median(p, measure) for p, measure in rounds if p == peer and measure.startswith("peak: ")}
  if not achieved or not peaks:
    print(f"  {precision}: not measured")
    continue
  best = max(peaks, key=peaks.get)
  print(f"  {precision}: {achieved:.0f} GFLOP/s of {peaks[best]:.0f} ({best}), {100 * achieved / peaks[best]:.0f} %; "
        + ", ".join(f"{name} {value:.0f}" for name, value in sorted(peaks.items())))

# Copies of the server's blocks need not wait for one another; the seconds are of copies that share this machine.
print("\neight clients, one step of each")
steps = {mode: median("fedsea-audit bf16", f"8 clients x 1x64 tokens, {mode}, sequential server steps") for mode in ("sequential", "server-hierarchical")}
for mode, count in steps.items():
  seconds = median("fedsea-audit bf16", f"8 clients x 1x64 tokens, {mode}")
  print(f"  {mode:<20} " + (f"{count:.0f} sequential server steps, {seconds:.2f} s" if count and seconds else "not measured"))
if all(steps.values()):
  print(f"  {steps['sequential'] / steps['server-hierarchical']:.1f} times fewer, wanted ≥ 7.5")

SHOWN = ("peak: ", "8 clients")
print()
for (peer, measure), values in rounds.items():
  if measure.startswith(SHOWN) or measure.endswith(", achieved"):
    continue
  if peer.startswith("fedsea-audit") and not any(peer == p[1] and measure == p[0] for p in PAIRS):
    print(f"{peer:<24}{measure:<52}{statistics.median(v for v, _ in values):>10.4g} {values[0][1]}")
print("\ngreedy text after \"The capital of France is\":")
for peer, text in texts.items():
  print(f"  {peer:<22}{text!r}")
