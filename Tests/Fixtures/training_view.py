"""Checks a recorded training run from the side of h5py: training_view.py FOLDER

FOLDER holds view.h5, truth.h5, and expected.json with what the Swift test saw pass:
{"floats": {path: {"shape", "values"}}, "integers": {path: values}, "texts": [...], "tokens": [[...], ...]}
"""
import json
import pathlib
import sys

import h5py
import numpy as np


def names(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return set(found)


folder = pathlib.Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text())
with h5py.File(folder / "view.h5") as file:
    assert file.attrs["encoding-type"] == "fedsea-view" and file.attrs["run_id"] == "run-9"
    assert names(file) == {*expected["floats"], *expected["integers"], "metadata/lengths"}, names(file)
    for path, table in expected["floats"].items():
        dataset = file[path]
        assert dataset.dtype == "<f4" and dataset.shape == tuple(table["shape"]), (path, dataset)
        assert np.array_equal(dataset[:].ravel(), np.array(table["values"], "f4")), path
        unit = "nats per activation" if path in ("gradients/output_cut", "gradients/input_cut") else "activation"
        if len(path.split("/")) == 2:
            assert dataset.attrs["unit"] == unit and list(dataset.attrs["dims"]) == ["token", "channel"], path
            assert dataset.attrs["noise_sigma"] == (0.5 if path == "input_cut/hidden_states" else 0), path
        else:
            assert list(dataset.attrs["dims"]) == ["message", "value"], path
    for path, values in expected["integers"].items():
        assert file[path].dtype == "<i8" and file[path][:].tolist() == values, path
    assert np.array_equal(np.cumsum(file["metadata/lengths"][:]), expected["integers"]["samples/offsets"][1:])
with h5py.File(folder / "truth.h5") as file:
    assert file.attrs["run_id"] == "run-9"
    assert file["samples/text"].asstr()[:].tolist() == expected["texts"]
    assert file["samples/token_ids"][:].tolist() == sum(expected["tokens"], [])
print(len(expected["floats"]), "tables of floats,", len(expected["integers"]), "of integers")
