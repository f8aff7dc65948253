"""What users say of themselves. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from fluxbase.auth.errors import InvalidMetadataError

LARGEST_BYTES = 16 * 1024
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # escaped; behind an odd number of backslashes it is text


def checked_metadata(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """`metadata`, when it may be stored: every access token carries it.

    Counted as a token has it: JSON in ASCII, where a letter outside ASCII takes six bytes or twelve.

    Raises:
        InvalidMetadataError: 400.
    """
    text = json.dumps(metadata, separators=(",", ":"))
    if len(text) > LARGEST_BYTES:
        raise InvalidMetadataError(
            f"user_metadata is {len(text)} bytes of JSON; {LARGEST_BYTES} may be. Keep more in a table of your own."
        )
    if _NUL.search(text):
        raise InvalidMetadataError("user_metadata contains a NUL character, which cannot be stored.")
    return metadata
