"""Texts of a report: collected to a limit, freed of terminal colours and of what no database takes."""

import hashlib
import re

_ANSI = re.compile(
    r"(?:\x1b|#x1B|\u241b)\[[0-9;:?]*[ -/]*[@-~]"  # colours; pytest writes the escape as "#x1B"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links
    r"|\x1b[@-Z\\^_]?"
)
_REFERENCE = re.compile(r"&(?:#(\d{1,8})|#x([0-9A-Fa-f]{1,7})|(lt|gt|amp|quot|apos));")
_NAMED_REFERENCE = re.compile(r"&(lt|gt|amp|quot|apos);")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_SHORT = 300
_MAX_CODE_POINT = 0x10FFFF


def clean(text: str) -> str:
    """A text as people want to read it: no terminal colours, no NULs, plain line ends."""
    if "\x1b" in text or ("#" in text and "#x1B[" in text) or "\u241b[" in text:
        text = _ANSI.sub("", text)
    if "\x00" in text:
        text = text.replace("\x00", "")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def unescape(text: str) -> str:
    """Resolve XML's own references; what is none stays as it stands."""
    if "&" not in text:
        return text
    if "&#" in text:
        return _REFERENCE.sub(_character, text)
    if len(text) < _SHORT:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&apos;", "'")
        return text.replace("&amp;", "&")
    parts = _NAMED_REFERENCE.split(text)  # text, name, text, name, …: one pass, for a long text faster than five
    parts[1::2] = map(_NAMED.__getitem__, parts[1::2])
    return "".join(parts)


def plain_text(raw: str) -> str:
    """An element's text from its source: CDATA sections as they are, the rest with its references resolved."""
    first, *sections = raw.split("<![CDATA[")
    parts = [unescape(first)]
    for section in sections:
        inside, _, after = section.partition("]]>")
        parts += (inside, unescape(after))
    return "".join(parts)


def _character(match: re.Match[str]) -> str:
    """The character of one reference, nothing where it names one that cannot be stored."""
    decimal, hexadecimal, name = match.groups()
    if name is not None:
        return _NAMED[name]
    code = int(decimal) if decimal is not None else int(hexadecimal, 16)
    if code > _MAX_CODE_POINT or 0xD800 <= code < 0xE000 or code == 0:  # noqa: PLR2004 - Unicode's surrogates
        return ""
    return chr(code)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and end with a mark between them when it is longer than `limit`."""
    if len(text) <= limit:
        return text
    return _joined(text[: _head_room(limit)], text[-_tail_room(limit) :], len(text))


def name_within(name: str, limit: int) -> str:
    """A name of at most `limit` characters; a longer one ends in a digest of itself, so that it stays distinct."""
    if len(name) <= limit:
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    ending = f"… [cut by FlakeGuard, {digest}]"
    return name[: max(0, limit - len(ending))] + ending


def _head_room(limit: int) -> int:
    """Three quarters of a cut text are its beginning."""
    return max(1, limit * 3 // 4)


def _tail_room(limit: int) -> int:
    """A quarter, less the mark's own length, is its end: where the error of a log usually is."""
    return max(1, limit // 4 - 80)


def _joined(head: str, tail: str, total: int) -> str:
    """Beginning and end of a text of `total` characters, with the mark between them."""
    left_out = total - len(head) - len(tail)
    return f"{head}\n… [cut by FlakeGuard: {left_out:,} characters left out] …\n{tail}"


class TextSink:
    """Collects a text that comes in pieces, in memory of the order of its limit however long it gets."""

    __slots__ = ("_head", "_head_length", "_limit", "_tail", "_total")

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` characters."""
        self._limit = limit
        self._head: list[str] = []
        self._head_length = 0
        self._tail = ""
        self._total = 0

    def add(self, piece: str) -> None:
        """Take the next piece."""
        self._total += len(piece)
        room = self._limit - self._head_length
        if room > 0:
            taken = piece[:room]
            self._head.append(taken)
            self._head_length += len(taken)
            piece = piece[room:]
        if piece:
            self._tail = (self._tail + piece)[-_tail_room(self._limit) :]

    def value(self) -> str:
        """The text, cleaned, with a mark where it was cut."""
        text = "".join(self._head)
        if self._total > self._limit:
            tail_room = _tail_room(self._limit)
            tail = (text + self._tail)[-tail_room:]
            text = _joined(text[: _head_room(self._limit)], tail, self._total)
        return clean(text)
