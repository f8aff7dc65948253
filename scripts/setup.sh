#!/bin/sh
# Makes .venv with everything locked in requirements.lock, whatever Python the machine calls its own.
# Used by `make setup`, which `make run` and `make test` call first. Does nothing when nothing changed.
set -eu
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}

suits() { # does this interpreter run, and is it new enough?
    [ -n "$1" ] && "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

find_python() { # named one first, then PATH, then pyenv (even when another version is active), then uv
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" && { echo "$PYTHON"; return; }
        echo "setup: PYTHON=$PYTHON does not run, or is older than 3.12" >&2
        return 1
    fi
    for candidate in python3.13 python3.12 python3.14 python3 python; do
        suits "$candidate" && { command -v "$candidate"; return; }
    done
    pyenv_root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || echo "${HOME:-}/.pyenv")}
    for candidate in "$pyenv_root"/versions/3.1[3249]*/bin/python; do
        suits "$candidate" && { echo "$candidate"; return; }
    done
    if command -v uv >/dev/null 2>&1; then
        candidate=$(uv python find '>=3.12' 2>/dev/null || { uv python install 3.13 >&2 && uv python find '>=3.12'; } || true)
        suits "$candidate" && { echo "$candidate"; return; }
    fi
    cat >&2 <<'MISSING'
setup: FlakeGuard needs Python 3.12 or newer and found none on PATH, in pyenv or through uv.
       Install one, for example:  pyenv install 3.13   or   uv python install 3.13
       (Debian and Ubuntu: its venv package too), or name one:  make setup PYTHON=/path/to/python3.13
MISSING
    return 1
}

if [ ! -x "$VENV/bin/python" ] || ! suits "$VENV/bin/python"; then
    python=$(find_python)
    echo "setup: using $python ($("$python" -V))"
    "$python" -m venv --clear "$VENV"
fi

# What the installed environment depends on, page sources included: a pull brings new pages too.
inputs=$(cat requirements.lock pyproject.toml hatch_build.py web/package.json web/package-lock.json web/build.mjs web/src/* 2>/dev/null | cksum)
if [ "$(cat "$VENV/.setup" 2>/dev/null)" != "$inputs" ]; then
    [ -x "$VENV/bin/uv" ] || "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes -r requirements-uv.lock
    echo "setup: installing locked packages into $VENV"
    VIRTUAL_ENV=$VENV "$VENV/bin/uv" pip sync --quiet --compile-bytecode --require-hashes requirements.lock
    VIRTUAL_ENV=$VENV "$VENV/bin/uv" pip install --quiet --no-deps --editable .
    echo "$inputs" >"$VENV/.setup"
fi
[ -x "$VENV/bin/flakeguard" ] || { echo "setup: $VENV/bin/flakeguard is missing; remove $VENV and run again" >&2; exit 1; }
