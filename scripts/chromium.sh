#!/bin/sh
# The browser tests want Chromium from the system's packages; installed here when it is missing and we may.
set -eu
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing chromium for the browser tests"
    (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium) >/dev/null 2>&1 \
        && exit 0
fi
echo "the browser tests need Chromium: apt-get install chromium (or your system's package)" >&2
exit 1
