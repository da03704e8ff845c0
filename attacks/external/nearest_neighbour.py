"""An external attack: the token whose input embedding has the largest cosine with the observed state.

Started by fedsea-audit in a folder that holds view.h5 and task.json (attacks/external/README.md says what else); writes guesses.h5.
Needs numpy and h5py.
"""
import json
import os

import h5py
import numpy as np

LISTED = 16  # candidates of each position that go into guesses.h5
SHARPNESS = 20.0  # how fast probability falls with the cosine; any posterior that sums to 1 is accepted

task = json.load(open(os.environ["FEDSEA_TASK"]))
with h5py.File(task["view"]) as view:
    states = view["input_cut/hidden_states"][:].astype(np.float32)
    offsets = view["samples/offsets"][:]

table = np.load(task["embeddings"])
table = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
if task["excluded_tokens"]:
    table[task["excluded_tokens"]] = 0
states = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)

count, vocabulary = len(states), task["vocabulary_size"]
listed = min(LISTED, vocabulary - 1)
tokens = np.empty(count, np.int32)
ids = np.empty((count, listed), np.int32)
logs = np.empty((count, listed), np.float32)
rest = np.empty(count, np.float32)
for start in range(0, count, 256):
    scores = SHARPNESS * (states[start:start + 256] @ table.T).astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    best = np.argsort(-scores, axis=1)[:, :listed]
    rows = slice(start, start + len(scores))
    tokens[rows], ids[rows] = best[:, 0], best
    logs[rows] = np.take_along_axis(scores, best, axis=1)
    rest[rows] = np.log(np.maximum(1 - np.exp(logs[rows].astype(np.float64)).sum(axis=1), 1e-12))

with h5py.File(task["guesses"], "w") as guesses:
    guesses.attrs["encoding-type"] = "fedsea-guesses"
    guesses.attrs["encoding-version"] = "1"
    guesses.attrs["run_id"] = task["run_id"]
    guesses.attrs["attack"] = "nearest-neighbour"
    guesses["samples/offsets"] = offsets.astype(np.int64)
    guesses["samples/token_ids"] = tokens
    guesses["candidates/ids"] = ids
    guesses["candidates/log_probabilities"] = logs
    guesses["candidates/rest_log_probability"] = rest
