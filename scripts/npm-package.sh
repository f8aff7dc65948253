#!/bin/sh
# Unpacks one npm package that tests read as data: npm-package.sh <name> <version>; prints the folder. Fetched once.
set -eu
cd "$(dirname "$0")/.."
folder=.npm-packages/$(echo "$1" | tr -d @ | tr / -)-$2
if [ ! -f "$folder/package/package.json" ]; then
    temporary=$(mktemp -d)
    trap 'rm -rf "$temporary"' EXIT
    npm pack --silent --pack-destination "$temporary" "$1@$2" >/dev/null
    tar -xzf "$temporary"/*.tgz -C "$temporary"
    mkdir -p "$folder"
    mv "$temporary/package" "$folder/" 2>/dev/null || [ -f "$folder/package/package.json" ] # another was faster
fi
echo "$PWD/$folder/package"
