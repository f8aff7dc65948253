"""Which texts are names of buckets and objects. Pure.

A name is a key and never a path: bytes lie under names that we make up. What is refused here is what some client, proxy
or tool on the way would change or could not write down, so that an object is always reached by the name it was given.
"""

import re
import unicodedata

from fluxbase.storage.errors import InvalidNameError

LONGEST_NAME_BYTES = 1024
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_RESERVED = frozenset(("buckets",))  # /api/v1/storage/buckets
# What decoders put where the bytes were no UTF-8: two different addresses would become one name. And the last
# character there is, behind which no prefix has an end.
_UNUSABLE = ("\ufffd", "\U0010ffff")


def check_bucket_id(text: str) -> str:
    """`text`, when it can name a bucket.

    Raises:
        InvalidNameError: 400.
    """
    if not _BUCKET.fullmatch(text) or text in _RESERVED:
        raise InvalidNameError(
            "A bucket is named by 1 to 63 small letters, digits, dots, hyphens and underscores, "
            "a letter or digit first, and not `buckets`."
        )
    return text


def check_name(text: str) -> str:
    """`text`, when it can name an object: up to 1,024 bytes of UTF-8, segments between single slashes.

    Names are compared as they are: `é` as one character and as two are two names.

    Raises:
        InvalidNameError: 400.
    """
    check_prefix(text)
    segments = text.split("/")
    if "" in segments:
        raise InvalidNameError("An object's name is not empty, neither begins nor ends with /, and has no // in it.")
    if "." in segments or ".." in segments:
        raise InvalidNameError("An object's name has no segment . or .. in it: clients would resolve it on the way.")
    return text


def check_prefix(text: str) -> str:
    """`text`, when names may begin with it.

    Raises:
        InvalidNameError: 400.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") or character in _UNUSABLE for character in text):
        raise InvalidNameError("An object's name is valid UTF-8 and has no control characters in it.")
    if len(text.encode()) > LONGEST_NAME_BYTES:
        raise InvalidNameError(f"An object's name is longer than {LONGEST_NAME_BYTES} bytes.")
    return text
