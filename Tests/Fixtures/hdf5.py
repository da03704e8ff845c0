"""Fixtures and checks of view.h5, guesses.h5 and truth.h5 from the side of h5py (pip install h5py pandas).

    python3 Tests/Fixtures/hdf5.py generate          writes Tests/Fixtures/hdf5/*.h5
    python3 Tests/Fixtures/hdf5.py check FOLDER      checks the files that the Swift tests wrote there

Both sides compute the same content: documents of 3, 0, 5 and 1 tokens; every value is exact in binary16.
"""
import pathlib
import sys

import h5py
import numpy as np

OFFSETS = [0, 3, 3, 8, 9]
N = OFFSETS[-1]
INPUT = np.array([[(r * 4 + c - 18) / 8 for c in range(4)] for r in range(N)])
OUTPUT = np.array([[(r - c) / 4 for c in range(6)] for r in range(N)])
TOKENS = [(r * r * 997) % 49152 for r in range(N)]
TEXTS = ["Grüße, 世界 👋🏽", "", "tab\tand newline\n and \x07 bell", "e\u0301 \u202eoverride"]
IDS = ["doc-0", "doc-1", "doc-2", "döc-3"]
HASHES = {"plan_sha256": "1" * 64, "checkpoint_sha256": "2" * 64, "tokenizer_sha256": "3" * 64}
TEXT = h5py.string_dtype()
FOLDER = pathlib.Path(__file__).parent / "hdf5"


def header(file, encoding):
    file.attrs["encoding-type"] = encoding
    file.attrs["encoding-version"] = "1"
    file.attrs["run_id"] = "run-7"


def view(file, dtype="<f4", integers="<i8", fixed_strings=False, **storage):
    header(file, "fedsea-view")
    if fixed_strings:
        file.attrs["run_id"] = np.bytes_("run-7")
    for key, value in HASHES.items():
        file.attrs[key] = value
    file.attrs["created"] = "2026-01-02T03:04:05Z"
    file.attrs["fedsea_version"] = "0.1.0"
    file.attrs["partition_input"] = np.int32(2)
    file.attrs["partition_output"] = 1
    file.create_dataset("samples/offsets", data=np.array(OFFSETS, integers), **storage)
    file.create_dataset("metadata/lengths", data=np.diff(OFFSETS).astype(integers), **storage)
    channel(file, "input_cut/hidden_states", INPUT.astype(dtype), "gaussian-noise", "gaussian", 0.25, **storage)
    channel(file, "output_cut/hidden_states", OUTPUT.astype(dtype), "gaussian-noise", "gaussian", None, **storage)


def channel(file, path, values, defense, law, sigma, **storage):
    dataset = file.create_dataset(path, data=values, **storage)
    dataset.attrs.create("dims", ["token", "channel"], dtype=TEXT)
    dataset.attrs["unit"] = "activation"
    dataset.attrs["defense"] = defense
    dataset.attrs["noise_law"] = law
    if sigma is not None:
        dataset.attrs["noise_sigma"] = sigma


def guesses(file, candidates):
    header(file, "fedsea-guesses")
    file.attrs["attack"] = "external-program"
    file["samples/offsets"] = np.array(OFFSETS)
    file["samples/token_ids"] = np.array(TOKENS)
    if candidates:
        file["candidates/ids"] = np.array([[t, -1] for t in TOKENS])
        file["candidates/log_probabilities"] = np.log(np.full((N, 2), 0.25))
        file["candidates/rest_log_probability"] = np.log(np.full(N, 0.75))


def truth(file):
    header(file, "fedsea-truth")
    file["samples/offsets"] = np.array(OFFSETS)
    file["samples/token_ids"] = np.array(TOKENS, "i4")
    file.create_dataset("samples/text", data=TEXTS, dtype=TEXT)
    file.create_dataset("samples/id", data=IDS, dtype=TEXT)


def hostile(name):
    """Well-formed HDF5 that reaches outside of the file, or promises more than it holds."""
    return h5py.File(FOLDER / f"hostile-{name}.h5", "w")


def generate():
    FOLDER.mkdir(exist_ok=True)
    with h5py.File(FOLDER / "view.h5", "w") as file:
        view(file)
    with h5py.File(FOLDER / "view-variant.h5", "w", libver=("v110", "v110")) as file:
        view(file, ">f2", ">i4", True, chunks=True, compression="gzip", shuffle=True, fletcher32=True)
    with h5py.File(FOLDER / "guesses.h5", "w") as file:
        guesses(file, candidates=False)
    with h5py.File(FOLDER / "guesses-candidates.h5", "w") as file:
        guesses(file, candidates=True)
    with h5py.File(FOLDER / "truth.h5", "w") as file:
        truth(file)

    def replacing(name, path, make):
        with hostile(name) as file:
            guesses(file, candidates=False)
            del file[path]
            make(file)

    ids = "samples/token_ids"
    layout = h5py.VirtualLayout(shape=(N,), dtype="i4")
    layout[:] = h5py.VirtualSource("truth.h5", ids, shape=(N,))
    replacing("external-link", ids, lambda f: f.__setitem__(ids, h5py.ExternalLink("truth.h5", "/" + ids)))
    replacing("soft-link", ids, lambda f: f.__setitem__(ids, h5py.SoftLink("/samples/offsets")))
    replacing("virtual", ids, lambda f: f.create_virtual_dataset(ids, layout))
    replacing("external-storage", ids, lambda f: f.create_dataset(ids, (N,), "i4", external=[("truth.h5", 0, 4 * N)]))
    replacing("huge", ids, lambda f: f.create_dataset(ids, (2**50,), "i4", chunks=(64,)))
    replacing("huge-strings", ids, lambda f: f.create_dataset(ids, (2**40,), TEXT, chunks=(64,)))
    replacing("plugin-filter", ids, lambda f: f.create_dataset(ids, data=np.array(TOKENS, "i4"), compression="lzf"))
    replacing("compound", ids, lambda f: f.create_dataset(ids, data=np.zeros(N, [("a", "i4"), ("b", "f4")])))
    replacing("three-dimensions", ids, lambda f: f.create_dataset(ids, data=np.zeros((N, 1, 1), "i4")))
    replacing("group", ids, lambda f: f.create_group(ids))
    replacing("large-chunk", ids, lambda f: f.create_dataset(ids, (2**28,), "i4", chunks=(2**28,)))
    replacing("bomb", ids, lambda f: f.create_dataset(
        ids, data=np.zeros(1 << 22, "i1"), chunks=(1 << 22,), compression="gzip"))
    replacing("cycle", ids, lambda f: f.__setitem__("samples/again", f["samples"]))
    print(sum(path.stat().st_size for path in FOLDER.glob("*.h5")), "bytes")


def check(folder):
    """Checks whichever of the known files are in the folder; at least one must be."""
    folder = pathlib.Path(folder)
    names = {path.stem for path in folder.glob("*.h5")}
    assert names, "no files"
    if "truth" in names:
        check_truth(folder)
    if "view-f32" in names:
        check_views(folder)
    if "guesses" in names:
        check_guesses(folder)
    print("checked", *sorted(names))


def check_truth(folder):
    with h5py.File(folder / "truth.h5") as file:
        assert file.attrs["encoding-type"] == "fedsea-truth" and file.attrs["run_id"] == "run-7"
        assert file["samples/token_ids"].dtype == "<i4" and file["samples/token_ids"][:].tolist() == TOKENS
        assert h5py.check_string_dtype(file["samples/text"].dtype).encoding == "utf-8"
        assert file["samples/text"].asstr()[:].tolist() == TEXTS and file["samples/id"].asstr()[:].tolist() == IDS


def check_views(folder):
    for name, dtype in (("view-f32", "<f4"), ("view-f16", "<f2"), ("view-deflated", "<f4")):
        with h5py.File(folder / f"{name}.h5") as file:
            assert file.attrs["encoding-type"] == "fedsea-view" and file.attrs["encoding-version"] == "1"
            assert file.attrs["run_id"] == "run-7" and file.attrs["created"] == "2026-01-02T03:04:05Z"
            assert all(file.attrs[key] == value for key, value in HASHES.items())
            assert file.attrs["partition_input"] == 2 and file.attrs["partition_output"] == 1
            assert file["samples/offsets"].dtype == "<i8" and file["samples/offsets"][:].tolist() == OFFSETS
            assert file["metadata/lengths"][:].tolist() == np.diff(OFFSETS).tolist()
            for path, expected in (("input_cut/hidden_states", INPUT), ("output_cut/hidden_states", OUTPUT)):
                dataset = file[path]
                assert dataset.dtype == dtype and np.array_equal(dataset[:].astype("f8"), expected), (name, path)
                assert dataset.maxshape == (None, expected.shape[1]) and dataset.fletcher32
                assert 0.1e6 <= np.prod(dataset.chunks) * dataset.dtype.itemsize <= 1e6
                assert list(dataset.attrs["dims"]) == ["token", "channel"] and dataset.attrs["unit"] == "activation"
                assert dataset.attrs["defense"] == "gaussian-noise" and dataset.attrs["noise_law"] == "gaussian"
            assert file["input_cut/hidden_states"].attrs["noise_sigma"] == 0.25
            assert "noise_sigma" not in file["output_cut/hidden_states"].attrs
    try:
        import pandas
    except ImportError:
        print("pandas not installed: frame not checked")
    else:
        with h5py.File(folder / "view-f32.h5") as file:
            frame = pandas.DataFrame(file["input_cut/hidden_states"][:])
            assert frame.shape == (N, 4) and frame.iloc[8, 3] == INPUT[8, 3]


def check_guesses(folder):
    with h5py.File(folder / "guesses.h5") as file:
        assert file.attrs["encoding-type"] == "fedsea-guesses" and file.attrs["attack"] == "external-program"
        assert file["samples/offsets"][:].tolist() == OFFSETS and file["samples/token_ids"][:].tolist() == TOKENS
        assert file["candidates/ids"][:].tolist() == [[t, -1] for t in TOKENS]
        assert np.allclose(file["candidates/log_probabilities"][:], np.log(0.25))
        assert np.allclose(file["candidates/rest_log_probability"][:], np.log(0.75))


if __name__ == "__main__":
    if sys.argv[1:] == ["generate"]:
        generate()
    elif len(sys.argv) == 3 and sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        sys.exit(__doc__)
