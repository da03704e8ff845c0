"""Writes golden_record.json: one small record.json in the documented format, independent of the Swift encoder.

Run: python3 golden_record.py   (from this folder; needs only the standard library)
"""
import json
import math
from pathlib import Path

sigma = 0.9 * 1.16 * math.sqrt(math.pi / 2)
settings = {"model.partition.input": 1, "defense.unit": "relative", "defense.relative": 0.9, "defense.sigma": sigma, "seed": 1}


def result(attack, mean, interval, gain):
    row = {
        "cell": "p1-r0.9-s1", "settings": settings, "channel": "input_cut/hidden_states", "attack": attack, "metric": "token_accuracy",
        "mean": mean, "ci95": interval, "stderr": 0.0125, "n": 12, "higher_leaks_more": True, "seconds": 1.5,
    }
    return row | ({} if gain is None else {"gain_over_baseline": gain})


record = {
    "schema_version": 1, "run_id": "golden-run", "complete": True, "eligible": False, "created": "2026-01-01T00:00:00Z",
    "plan": {"plan": "golden", "seeds": [1, 2]}, "plan_sha256": "a" * 64, "versions": {"fedsea-audit": "0.1.0"}, "commit": "c" * 40,
    "host": {"cpu": "none", "threads": 2, "engine": "none"},
    "checkpoint": {"name": "tiny", "sha256": "b" * 64, "tokenizer_sha256": "d" * 64, "parameters": 1000, "blocks": 4},
    "dataset": {"name": "none", "sha256": "e" * 64, "documents": 12, "tokens": 480},
    "threat_model": {"role": "honest-but-curious-server", "knowledge": "K2", "channels": ["input_cut/hidden_states"]},
    "defense": {"name": "gaussian-noise"},
    "results": [result("sequential-matching", 0.979, [0.95, 1], 0.898), result("language-model", 0.081, [0.04, 0.12], None)],
    "utility": [{"cell": "p1-r0.9-s1", "settings": settings, "metric": "perplexity", "mean": 37.5, "ci95": [30.25, 44.75], "n": 12}],
    "margins": [{
        "input_blocks": 1, "quantiles": [1, 2, 3, 4, 5, 6, 7], "rms": 1.5, "channels": 64, "edges": [2, 4, 8], "counts": [1, 4, 2],
    }],
    "timings": {"attacks": 12.5}, "warnings": ["the data are made up"],
    "coverage": [{"channel": "input_cut/hidden_states", "protection": "protected", "note": "noise"}],
    "invocation": ["fedsea-audit", "run", "golden.yaml"],
}
Path(__file__).with_name("golden_record.json").write_text(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
