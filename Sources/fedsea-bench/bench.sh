#!/usr/bin/env bash
# Runs this project's benchmark and the peers turn by turn on the same machine and prints the ratios.
# Usage: [ROUNDS=2] [PEERS=f32,bf16,llama.cpp] bench.sh [CACHE_DIR]   (default .build/bench; the peers' environment takes 1.3 GB there, once)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${1:-$root/.build/bench}
gguf=$root/checkpoints/smollm2-135m-instruct/files/SmolLM2-135M-Instruct.Q4_1.gguf
ours=$root/.build/release/fedsea-bench
mkdir -p "$cache"
python=$("$here/peers/setup_peers.sh" "$cache")
results=$cache/results.jsonl
: >"$results"
"$ours" "$gguf" --only kernels | tee -a "$results"
"$ours" "$gguf" --only dump --runs 3 | tee -a "$results"
for round in $(seq "${ROUNDS:-2}"); do
  "$ours" "$gguf" --only model --runs 3 | tee -a "$results"
  "$ours" "$gguf" --only training --runs 3 | tee -a "$results"
  "$ours" "$gguf" --only federation --runs 2 | tee -a "$results"
  "$python" "$here/peers/peers.py" "$gguf" --hf "$cache/hf" --json --runs 3 --only "${PEERS:-f32,bf16,llama.cpp}" | tee -a "$results"
  "$ours" "$gguf" --only attack --runs 2 | tee -a "$results"
  "$python" "$here/peers/peers.py" "$gguf" --hf "$cache/hf" --json --runs 2 --attack --only f32 | tee -a "$results"
done
"$python" "$here/peers/compare.py" "$results"
