"""The project key: read from the environment or a file, never from an argument, never shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

API_KEY_VARIABLE = "FLAKEGUARD_API_KEY"


class BadKey(Exception):  # noqa: N818 - a state of the key, shown to people
    """A key was given that cannot be one. The message never holds it."""


def read(env: Mapping[str, str], key_file: Path | None) -> str | None:
    """Return the project key, or None when there is none.

    Args:
        env: environment variables.
        key_file: a file that holds the key alone (`-` is standard input); it goes before the environment.

    Raises:
        BadKey: the key holds what no header can carry.
        OSError: the file cannot be read.
    """
    if key_file is None:
        text = env.get(API_KEY_VARIABLE, "")
    elif str(key_file) == "-":
        text = sys.stdin.read()
    else:
        text = key_file.read_text(encoding="utf-8", errors="replace")
    key = text.strip()
    # Checked here because the HTTP library's own error would quote the header.
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise BadKey("The project key holds spaces, line breaks or characters outside ASCII.")
    return key or None
