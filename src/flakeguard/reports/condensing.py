"""Spare the XML parser the bulk of a report.

A report is mostly two things: long runs of simple cases (`<testcase … />`, one like the other) and long texts.
Both are far cheaper to find with regular expressions and string searches than to walk through callback by
callback. The condenser takes them out of the stream and leaves a processing instruction (`<?fg 7?>`)
where each was, so that expat still sees, checks and orders everything else:

- a run of simple cases becomes a `SimpleCases`;
- a long text, or a long CDATA section, becomes a `str`.

What the condenser does not recognise it passes on untouched, so a document that it knows nothing of is
merely read more slowly. Comments and the document's own processing instructions are dropped.
"""

import re

from flakeguard.reports.simple_cases import SimpleCaseReader, SimpleCases
from flakeguard.reports.texts import unescape

MARK = "fg"
"""Target of the processing instructions that the condenser leaves."""

_SHORT_TEXT = 200  # shorter texts cost expat less than a processing instruction
_LONG_TOKEN = 262_144  # a token that is open for longer than this is handed on in pieces
_ENTITY = 12  # longest reference that may be cut by the end of a chunk

_TOKEN = re.compile(
    r"<(?:(?P<case>testcase)|(?P<doctype>!DOCTYPE)|(?P<cdata>!\[CDATA\[)|(?P<comment>!--)|(?P<instruction>\?)"
    r"|(?P<text>failure|error|system-out|system-err|stackTrace|skipped|flaky|rerun|property))"
)
_START_TAG = re.compile(
    r"""<[^\s<>/]+(?:[ \t\r\n]+[^\s=<>"']+[ \t\r\n]*=[ \t\r\n]*(?:"[^"<]*"|'[^'<]*'))*[ \t\r\n]*>"""
)


class Condenser:
    """Turns a document's text, chunk by chunk, into a shorter document and the parts taken out of it."""

    def __init__(self) -> None:
        self.parts: dict[int, str | SimpleCases] = {}
        self._next_part = 0
        self._carry = ""
        self._inside: str | None = None  # "cdata", "text": a long token that began in an earlier chunk
        self._has_doctype = False  # then entities may be declared, which only the parser knows
        self._simple_cases = SimpleCaseReader()

    def feed(self, chunk: str) -> str:
        """The next piece of the shorter document; its parts are in `parts` by number."""
        text = self._carry + chunk
        self._carry = ""
        if self._has_doctype:
            return text
        out: list[str] = []
        start = self._resume(text, out)
        if start < 0:
            return "".join(out)
        self._scan(text, start, out)
        return "".join(out)

    def finish(self) -> str:
        """What is left over at the end; an unfinished token stays unfinished, for expat to notice."""
        rest, self._carry = self._carry, ""
        return "<![CDATA[" if self._inside == "cdata" else rest

    def take(self, number: str) -> str | SimpleCases | None:
        """Hand out a part, once."""
        return self.parts.pop(int(number), None) if number.isdecimal() else None

    def _put(self, part: str | SimpleCases) -> str:
        """Keep a part and give the mark that stands for it."""
        number = self._next_part
        self._next_part += 1
        self.parts[number] = part
        return f"<?{MARK} {number}?>"

    def _resume(self, text: str, out: list[str]) -> int:
        """Finish the long token that an earlier chunk began; -1 when it still goes on."""
        if self._inside is None:
            return 0
        ending = "]]>" if self._inside == "cdata" else "<"
        end = text.find(ending)
        piece = text[:end] if end >= 0 else self._keep_back(text)
        if piece:
            out.append(self._put(piece if self._inside == "cdata" else unescape(piece)))
        if end < 0:
            return -1
        end += 3 if self._inside == "cdata" else 0
        self._inside = None
        return end

    def _keep_back(self, text: str) -> str:
        """The text without an end that may be half a mark or half a reference; that end is carried on."""
        if self._inside == "cdata":
            at = len(text) - 2
        else:
            at = text.rfind("&", len(text) - _ENTITY if len(text) > _ENTITY else 0)
            at = len(text) if at < 0 else at
        at = max(at, 0)
        self._carry = text[at:]
        return text[:at]

    def _scan(self, text: str, position: int, out: list[str]) -> None:
        """Walk over the tokens that matter; `done` is up to where the document was passed on."""
        done = position
        search = _TOKEN.search
        while (match := search(text, position)) is not None:
            at = match.start()
            kind = match.lastgroup
            if kind == "case":
                done, position = self._case(text, at, done, out)
            elif kind == "text":
                done, position = self._text(text, at, done, out)
            elif kind == "doctype":
                self._has_doctype = True
                out.append(text[done:])
                return
            elif kind == "cdata":
                done, position = self._cdata(text, at, done, out)
            else:
                done, position = self._dropped(text, at, done, out, "-->" if kind == "comment" else "?>")
            if position < 0:
                return
        self._pass_on(text, done, position, out)

    def _pass_on(self, text: str, done: int, position: int, out: list[str]) -> None:
        """Pass on the rest of a chunk but for a tag that is not complete yet."""
        last = text.rfind("<", position)
        if last >= 0 and text.find(">", last) < 0 and len(text) - last < _LONG_TOKEN:
            self._carry = text[last:]
            out.append(text[done:last])
        else:
            out.append(text[done:])

    def _wait(self, text: str, at: int, done: int, out: list[str]) -> tuple[int, int]:
        """Leave everything from `at` to the next chunk, or to expat when it has grown too long."""
        if len(text) - at > _LONG_TOKEN:
            out.append(text[done:])
        else:
            out.append(text[done:at])
            self._carry = text[at:]
        return -1, -1

    def _case(self, text: str, at: int, done: int, out: list[str]) -> tuple[int, int]:
        """Take out the run of simple cases that begins at `at`."""
        run, end = self._simple_cases.take(text, at)
        if run is None:
            if text.find(">", at) < 0:
                return self._wait(text, at, done, out)
            return done, at + 1
        out.append(text[done:at])
        out.append(self._put(run))
        return end, end

    def _text(self, text: str, at: int, done: int, out: list[str]) -> tuple[int, int]:
        """Take out the long text that follows the start tag at `at`."""
        end = text.find("<", at + 1)
        if 0 <= end < at + _SHORT_TEXT:
            return done, end
        tag = _START_TAG.match(text, at)
        if tag is None:
            return (done, end) if end >= 0 else self._wait(text, at, done, out)
        if 0 <= end < tag.end() + _SHORT_TEXT:
            return done, end
        out.append(text[done : tag.end()])
        if end >= 0:
            out.append(self._put(unescape(text[tag.end() : end])))
            return end, end
        self._inside = "text"
        piece = self._keep_back(text[tag.end() :])
        if piece:
            out.append(self._put(unescape(piece)))
        return -1, -1

    def _cdata(self, text: str, at: int, done: int, out: list[str]) -> tuple[int, int]:
        """Take out the CDATA section at `at`."""
        end = text.find("]]>", at)
        if end < 0 and len(text) - at <= _LONG_TOKEN:
            return self._wait(text, at, done, out)
        out.append(text[done:at])
        if end >= 0:
            out.append(self._put(text[at + 9 : end]))
            return end + 3, end + 3
        self._inside = "cdata"
        out.append(self._put(self._keep_back(text[at + 9 :])))
        return -1, -1

    def _dropped(self, text: str, at: int, done: int, out: list[str], ending: str) -> tuple[int, int]:
        """Leave out the comment or processing instruction at `at`."""
        end = text.find(ending, at + (4 if ending == "-->" else 2))
        if end < 0:
            return self._wait(text, at, done, out)
        out.append(text[done:at])
        end += len(ending)
        return end, end
