"""Foreign texts in GitHub's Markdown: names and messages that must stay what they are. Pure.

A name may hold pipes, backticks, HTML or `@somebody`. In tables a backslash before a pipe does not help when another
backslash stands before it, and entities say nothing inside of backticks: so code is HTML's, and every sign an entity.
Long words may break, by `<wbr>`, which is no part of what is copied: a table is as wide as its longest word, and what
stands beside it is pushed out of sight.
"""

import re
from collections.abc import Sequence

from flakeguard.reports.texts import clean

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BLANKS = re.compile(r"\s+")
_SIGNS = re.compile(r"[\\`*_{}\[\]<>|~&$]|:(?=/)|(?<=\bwww)\.", re.IGNORECASE)
_MENTIONS = re.compile(r"([@#])(?=\w)|(?<=\bGH)(-)(?=\d)", re.IGNORECASE)
_ADDRESSES = re.compile(r"@(?=\w)")
_LONG_WORDS = re.compile(r"\S{25,}")
_PIECES = re.compile(r".{8,24}?(?:(?<=[./_:#,@\\-])|(?=[A-Z(\[]))|.{1,24}")
_BREAK = "\0"  # of which no foreign line has one
_NO_SPACE = "\N{ZERO WIDTH SPACE}"
_HEAD_SHARE = 0.6


def clip(text: str, most: int) -> str:
    """One line of at most `most` characters: what is longer loses its middle, as names differ at both ends."""
    line = _BLANKS.sub(" ", _CONTROLS.sub("", clean(text[: 4 * most] + text[4 * most :][-most:]))).strip()
    if len(line) <= most:
        return line
    head = int(most * _HEAD_SHARE)
    return f"{line[:head]}…{line[head + 1 - most :]}"


def text(foreign: str, most: int = 300) -> str:
    """A foreign text as plain text: no markup, no link, and nobody and nothing is mentioned."""
    escaped = _SIGNS.sub(_entity, _breakable(clip(foreign, most)))
    unmentioned = _MENTIONS.sub(lambda sign: f"{sign[0]}{_NO_SPACE}", escaped).replace(f"&#{_NO_SPACE}", "&#")
    return unmentioned.replace(_BREAK, "<wbr>")


def code(foreign: str, most: int = 120) -> str:
    """A foreign name as code, also in a table's cell or a link; GitHub mentions nobody in code, but links addresses."""
    line = _breakable(clip(foreign, most)) or "(no name)"
    escaped = _SIGNS.sub(_entity, _ADDRESSES.sub(f"@{_BREAK}", line))
    return f"<code>{escaped.replace(_BREAK, '<wbr>')}</code>"


def link(label: str, address: str | None) -> str:
    """`label`, which is Markdown, with the address, which is ours or was read as one; without an address alone."""
    if address is None or not re.fullmatch(r"https?://[^\s()<>|\"\\`]+", address):
        return label
    return f"[{label}]({address})"


def block(foreign: str, most_lines: int = 12, most: int = 1_500) -> str:
    """A foreign text of several lines in a fence that it cannot end."""
    whole = _CONTROLS.sub("", clean(foreign[: 2 * most])).strip("\n")
    lines = whole[:most].split("\n")
    cut = len(lines) > most_lines or len(whole) > most
    longest = max((len(run) for run in re.findall(r"`+", whole)), default=0)
    fence = "`" * max(3, longest + 1)
    body = "\n".join([*lines[:most_lines], "…"] if cut else lines)
    return f"{fence}text\n{body}\n{fence}"


def folded(label: str, markdown: str) -> str:
    """Markdown that is seen once its label is pressed."""
    return f"<details><summary>{label}</summary>\n\n{markdown}\n\n</details>"


def size(markdown: str) -> int:
    """UTF-8 bytes: GitHub counts characters, and its database bytes; the stricter one holds."""
    return len(markdown.encode(errors="replace"))


def fitting(rows: Sequence[str], most_bytes: int) -> int:
    """How many of the first rows, each with its line end, have room in so many bytes."""
    for count, row in enumerate(rows):
        most_bytes -= size(row) + 1
        if most_bytes < 0:
            return count
    return len(rows)


def _breakable(line: str) -> str:
    return _LONG_WORDS.sub(lambda word: _BREAK.join(_PIECES.findall(word[0])), line)


def _entity(sign: re.Match[str]) -> str:
    return f"&#{ord(sign[0])};"
