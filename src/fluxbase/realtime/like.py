"""SQL's LIKE without backtracking: a listener's pattern must not be able to stop the server."""

import re
from dataclasses import dataclass

_SIGN = re.compile(r"\\.|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Like:
    """A pattern taken apart at its % (or *): pieces that must follow each other, none of which has a star in it."""

    first: re.Pattern[str]
    middle: tuple[re.Pattern[str], ...]
    last: re.Pattern[str] | None

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` fits. The leftmost place for each piece is enough: no backtracking."""
        found = self.first.match(text)
        if found is None:
            return False
        if self.last is None:
            return found.end() == len(text)
        at = found.end()
        for piece in self.middle:
            found = piece.search(text, at)
            if found is None:
                return False
            at = found.end()
        ending = self.last.search(text, at)
        return ending is not None


def parse_like(pattern: str, *, ignore_case: bool) -> Like:
    """Read a pattern: % and * stand for any text, _ for one character, a backslash takes the next one as it is."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    pieces = [""]
    for sign in _SIGN.findall(pattern):
        if sign in ("%", "*"):
            pieces.append("")
        else:
            pieces[-1] += "." if sign == "_" else re.escape(sign[-1])
    first, *rest = pieces
    if not rest:
        return Like(re.compile(first, flags), (), None)
    middle = tuple(re.compile(piece, flags) for piece in rest[:-1] if piece)
    return Like(re.compile(first, flags), middle, re.compile(f"(?:{rest[-1]})\\Z", flags))
