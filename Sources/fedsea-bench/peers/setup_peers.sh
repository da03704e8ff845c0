#!/usr/bin/env bash
# Makes the Python environment of the peers that `make bench` measures beside this project, and prints its interpreter.
# Usage: setup_peers.sh CACHE_DIR      → CACHE_DIR/env; about 1.5 GB and 5–10 minutes once, nothing when it is up to date.
# Needs python3 (>= 3.10) with venv, a C++ compiler, and a network with PyPI. llama.cpp is built here, for this CPU
# (pip may reuse a wheel that it built here before).
set -euo pipefail
cache=${1:?usage: setup_peers.sh CACHE_DIR}

cpu_index=https://download.pytorch.org/whl/cpu
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
# shellcheck disable=SC2086 # word splitting is meant
{
  python3 -m venv --clear "$env"
  pip="$env/bin/python -m pip --disable-pip-version-check install -q --retries 2"
  # The CPU index, where it can be reached, has the "+cpu" wheel, which wins over PyPI's; that one brings gigabytes of CUDA along.
  extra=""
  if "$env/bin/python" -c "import urllib.request; urllib.request.urlopen('$cpu_index/torch/', timeout=10)" 2>/dev/null; then
    extra="--extra-index-url $cpu_index"
  fi
  $pip $extra "$torch"
  $pip $libraries
  CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2} CMAKE_ARGS="-DGGML_NATIVE=ON ${CMAKE_ARGS:-}" \
    $pip --no-binary llama-cpp-python "$llama"
  echo "$wanted" >"$stamp"
} >&2
echo "$env/bin/python"
