#!/usr/bin/env bash
# Makes the virtual environment enas_env beside this script and installs the pinned
# requirements into it. Can be run again at any time; needs no root.
#
#   ./setup.sh           install
#   ./setup.sh search    install, then run a first small search on MNIST (some three minutes)
#   ./setup.sh gpu       install what an NVIDIA GPU needs, too (Linux), and count the GPUs
#   ./setup.sh test      install what tests need too, then lint, check types, run every test
#
# PYTHON names the interpreter to use (default: python3, or else python3.13 … python3.10).
# An environment that is already there keeps the one that it was made with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
    echo "setup.sh: $*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# Prints which Python one was installed as, also if it is that of an environment.
installation() {
    "$1" -c 'import os, sys; print(sys.version.split()[0], "in", os.path.realpath(sys.base_prefix))' \
        2>/dev/null
}

# Says so if PYTHON names another interpreter than enas_env was made with.
tell_of_another_python() {
    local wanted have
    wanted=$(installation "$PYTHON") || wanted="something that is no Python"
    have=$(installation enas_env/bin/python) || return 0
    [ "$wanted" = "$have" ] \
        || echo "setup.sh: enas_env was made with Python $have and stays; remove that folder to use $PYTHON ($wanted)" >&2
}

make_environment() {
    if [ -x enas_env/bin/python ] && enas_env/bin/python -m pip --version >/dev/null 2>&1; then
        [ -z "${PYTHON:-}" ] || tell_of_another_python
        return
    fi
    local python
    python=$(find_python) \
        || fail "no Python 3.10 to 3.13 found; install one, or name it: PYTHON=/path/to/python3 ./setup.sh"
    "$python" -c 'import venv, ensurepip' 2>/dev/null \
        || fail "$python has no venv module; install it (Debian, Ubuntu: apt install python3-venv) and run again"
    echo "making enas_env with $("$python" --version)" >&2
    "$python" -m venv --clear enas_env || fail "could not make enas_env in $PWD"
}

# Installs each requirements file that has changed since it was last installed.
install() {
    make_environment
    local file
    for file in "$@"; do
        cmp -s "$file" "enas_env/installed-$file" && continue
        enas_env/bin/python -m pip install --quiet --disable-pip-version-check -r "$file" \
            || fail "pip could not install $file (see above); check the network and run again"
        cp "$file" "enas_env/installed-$file"
    done
}

case "${1:-}" in
    "")
        install requirements.txt
        echo "ready: enas_env/bin/python search_arc_mnist.py >> mnist_search.txt" >&2
        ;;
    search)
        install requirements.txt
        exec enas_env/bin/python search_arc_mnist.py \
            --output_dir=outputs_first_search --child_out_filters=8 \
            --train_limit=2000 --eval_limit=1000 \
            --num_epochs=3 --controller_train_steps=10
        ;;
    gpu)
        install requirements.txt requirements-gpu.txt
        TF_CPP_MIN_LOG_LEVEL=3 enas_env/bin/python -c '
import sys, tensorflow
count = len(tensorflow.config.list_physical_devices("GPU"))
print(f"TensorFlow sees {count} GPUs", file=sys.stderr)
sys.exit(count == 0)' || fail "no GPU can be used; look at what nvidia-smi says of driver and GPUs"
        ;;
    test)
        install requirements.txt requirements-export.txt requirements-cluster.txt requirements-test.txt
        enas_env/bin/python -m ruff check .
        enas_env/bin/python -m ruff format --check .
        enas_env/bin/python -m mypy
        # A process takes a whole file, in the order of tests/conftest.py.
        exec enas_env/bin/python -m pytest -q -n auto --dist=loadfile --no-loadscope-reorder --cov
        ;;
    *)
        echo "usage: ./setup.sh [search | gpu | test]" >&2
        exit 2
        ;;
esac
