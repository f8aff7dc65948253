"""What every command that asks a server begins with: its address, and what CI says of the run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from flakeguard.cli.announcing import announced_address
from flakeguard.cli.output import ExitCode, fail, warn
from flakeguard.uploading import credentials
from flakeguard.uploading.ci_environment import CiContext

LOCAL_URL = "http://127.0.0.1:3000"
"""Where `flakeguard up` listens; used outside CI when no address is given and none is announced."""

_SYSTEM_HOME = Path("/var/lib/flakeguard")


def home_folder(env: Mapping[str, str], *, is_root: bool) -> Path:
    """Return FLAKEGUARD_HOME, or its default.

    The default is that of `fluxbase.embedded.home.default_home`, which the base install may not import.
    """
    data = Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(env.get("FLAKEGUARD_HOME") or (_SYSTEM_HOME if is_root else data / "flakeguard"))


def github_event() -> Mapping[str, Any] | None:
    """Return the document that GITHUB_EVENT_PATH names; None when there is none, with a warning when it is damaged."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8")) if path else None
    except (OSError, ValueError):
        warn(
            "The event file that GITHUB_EVENT_PATH names cannot be read.",
            hint="On a pull request, give --sha: GITHUB_SHA is the merge commit there.",
        )
        return None
    return cast("Mapping[str, Any]", document) if isinstance(document, dict) else None


def given_key(key_file: Path | None) -> str | None:
    """Return the project key, None when there is none; leave with 6 when it cannot be one or its file not be read."""
    try:
        return credentials.read(os.environ, key_file)
    except credentials.BadKey as error:
        fail(ExitCode.NO_CREDENTIALS, str(error), hint="Copy it again from the project's settings.")
    except OSError as error:
        fail(ExitCode.NO_CREDENTIALS, f"The key file {key_file} cannot be read: {error.strerror}.")


def server_address(url: str, context: CiContext | None) -> str:
    """Return the server's address without its last slash; leave with 2 when it is none, or not known in CI."""
    if not url and context:
        fail(ExitCode.USAGE, "The server's address is not known.", hint="Set FLAKEGUARD_URL or give --url.")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # Windows has none
    address = (url or announced_address(home_folder(os.environ, is_root=is_root)) or LOCAL_URL).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        fail(ExitCode.USAGE, "--url is no http or https address, such as https://flakeguard.example.com.")
    if parts.username or parts.password:
        fail(ExitCode.USAGE, "--url must hold no user and password.", hint="The project key is the credential.")
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        warn(f"{address} is not encrypted: the project key can be read on the way.", hint="Use https.")
    return address
