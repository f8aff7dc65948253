"""Making damaged text fit for a parser: illegal characters, bare `<` and `&`."""

import re
from collections.abc import Callable

_ESCAPE_SYMBOL = "\u241b"  # stands for the escape character, so that terminal colours are still recognised
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|(\d{1,10}));")
_BARE = re.compile(
    r"<(?![A-Za-z_:/!?\u0080-\U0010ffff])"
    r"|&(?!(?:#[0-9]+|#x[0-9A-Fa-f]+|lt|gt|amp|quot|apos);)"
)
_LONGEST_REFERENCE = 14


def without_illegal_characters(text: str) -> str:
    """The text without the characters that XML forbids; the escape character becomes its symbol."""
    return _ILLEGAL.sub(_instead, text)


def _instead(match: re.Match[str]) -> str:
    return _ESCAPE_SYMBOL if match.group() == "\x1b" else ""


def with_legal_markup(text: str) -> str:
    """The markup with every `<` and `&` that begins nothing escaped, and without impossible references."""
    return _BARE.sub(_escaped, _REFERENCE.sub(_legal_reference, text))


def _escaped(match: re.Match[str]) -> str:
    return "&lt;" if match.group() == "<" else "&amp;"


def _legal_reference(match: re.Match[str]) -> str:
    """The reference itself, or what stands for it when its character may not be referred to."""
    hexadecimal, decimal = match.groups()
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if code > 0x10FFFF or code == 0:  # noqa: PLR2004 - Unicode ends there
        return ""
    character = chr(code)
    return without_illegal_characters(character) if _ILLEGAL.match(character) else match.group()


class Repairer:
    """Applies a repair to a text that comes in pieces, never with half a reference at a piece's end."""

    def __init__(self, repair: Callable[[str], str]) -> None:
        self._repair = repair
        self._carry = ""

    def feed(self, piece: str) -> str:
        """The next piece, repaired."""
        text = self._carry + piece
        self._carry = ""
        at = text.rfind("&", max(0, len(text) - _LONGEST_REFERENCE))
        if at >= 0 and text.find(";", at) < 0:
            self._carry, text = text[at:], text[:at]
        return self._repair(text)

    def finish(self) -> str:
        """What was held back."""
        rest, self._carry = self._carry, ""
        return self._repair(rest)
