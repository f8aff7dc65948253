"""What counts as an e-mail address: loosely, for only a message that arrives proves one."""

import re

from fluxbase.auth.errors import InvalidEmailError

LONGEST = 320
# Local names without a dot (`root@buildhost`) are addresses inside many companies.
_SHAPE = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\]+@[^@\s\x00-\x1f\x7f<>\"(),:;\\]+")


def cleaned(email: str) -> str:
    """The address without surrounding blanks, its domain in lower case.

    Raises:
        InvalidEmailError: It is none.
    """
    address = email.strip()
    if len(address) > LONGEST or not _SHAPE.fullmatch(address) or not address.isprintable():
        raise InvalidEmailError
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def typed(text: str) -> str:
    """Whatever was typed as an address, as PostgreSQL takes it: cut, without NUL and without half characters."""
    return text.strip()[:LONGEST].replace("\0", "").encode("utf-8", "replace").decode("utf-8")
