#!/usr/bin/env bash
# Makes the Python environment of the peers that `make bench` measures beside this project, and prints its interpreter.
# Usage: setup_peers.sh CACHE_DIR      → CACHE_DIR/env; about 2 GB and 5–10 minutes once, nothing when it is up to date.
# Needs python3 (>= 3.10) with venv, a C++ compiler, and a network with PyPI. llama.cpp is built here, for this CPU.
set -euo pipefail
cache=${1:?usage: setup_peers.sh CACHE_DIR}

# torch from the CPU index where it can be reached (its "+cpu" wheel wins over PyPI's, which brings CUDA along).
torch="torch==2.13.0"
libraries="numpy==2.4.6 safetensors==0.8.0 gguf==0.19.0 transformers==5.23.0 peft==0.21.2"
llama="llama-cpp-python==0.3.36"

mkdir -p "$cache"
env=$cache/env
stamp=$env/peers.stamp
wanted="$torch $libraries $llama"
if [ -x "$env/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  echo "$env/bin/python"
  exit 0
fi
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "setup_peers.sh: python3 >= 3.10 with venv is wanted: apt-get install python3-venv" >&2
  exit 69
fi
if ! command -v c++ >/dev/null && ! command -v clang++ >/dev/null; then
  echo "setup_peers.sh: llama.cpp needs a C++ compiler: apt-get install g++" >&2
  exit 69
fi
{
  python3 -m venv --clear "$env"
  pip="$env/bin/python -m pip --disable-pip-version-check install -q --retries 2"
  $pip --extra-index-url https://download.pytorch.org/whl/cpu "$torch"
  # shellcheck disable=SC2086
  $pip $libraries
  CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2} CMAKE_ARGS="-DGGML_NATIVE=ON ${CMAKE_ARGS:-}" \
    $pip --no-binary llama-cpp-python "$llama"
  echo "$wanted" >"$stamp"
} >&2
echo "$env/bin/python"
