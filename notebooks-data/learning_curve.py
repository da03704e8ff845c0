"""Prints the learning curves of a training record: mean loss of every tenth of the steps, a row a cell and seed.

Usage: python3 notebooks-data/learning_curve.py RECORD/training.json     (Python's standard library only)
"""
import json
import sys

record = json.load(open(sys.argv[1], encoding="utf-8"))
for cell in record["cells"]:
  losses = cell["losses"]
  size = max(1, len(losses) // 10)
  means = [sum(losses[i:i + size]) / len(losses[i:i + size]) for i in range(0, size * 10, size) if losses[i:i + size]]
  lowest, highest = min(means), max(means)
  bars = "".join("▁▂▃▄▅▆▇█"[min(7, int(8 * (m - lowest) / ((highest - lowest) or 1)))] for m in means)
  print(f"{cell['id']:32} {bars}  " + " ".join(f"{m:.2f}" for m in means) + f"   ({size} steps each)")
