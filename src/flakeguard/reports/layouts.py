"""What simple test cases look like: expressions made from the attributes that a report writes.

All repetitions are possessive: a match is linear in what it reads. Texts that are longer than the limits below are
cheaper to find by string search, so the expressions do not go over them.
"""

import re
from operator import itemgetter

type Row = tuple[str, ...]

_SPACE = r"[ \t\r\n]*+"
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*+"
_ATTRIBUTES = rf'(?:[ \t\r\n]++{_NAME}="[^"]*+")*+'
_LONG_STACK = 8_000  # characters; longer texts are found faster by the condenser's string search
_LONG_OUTPUT = 2_000


def _section(characters: int, brackets: int) -> str:
    """The inside of a CDATA section of at most so many brackets, with so many characters at most between them."""
    return rf"[^\]]{{0,{characters}}}+(?:\](?!\]>)[^\]]{{0,{characters}}}+){{0,{brackets}}}+"


_PRINTED = (
    rf"[^<]{{0,{_LONG_OUTPUT}}}+"
    rf"(?:<!\[CDATA\[{_section(_LONG_OUTPUT, 9)}\]\]>[^<]{{0,{_LONG_OUTPUT}}}+){{0,2}}+"
)
_PROPERTIES = rf"(?:<properties{_SPACE}(?:/>|>(?:[^<]++|<(?!/properties>))*+</properties>){_SPACE})?+"
_OUTPUTS = (
    rf"(?:<system-out>({_PRINTED})</system-out>{_SPACE})?+"
    rf"(?:<system-err>({_PRINTED})</system-err>{_SPACE})?+"
)
_PASSED_OVER = _OUTPUTS.replace(f"({_PRINTED})", _PRINTED)
_FAILURE = (
    rf"<(failure|error|skipped)({_ATTRIBUTES}){_SPACE}"
    rf"(?:/>|>(?:{_SPACE}<!\[CDATA\[({_section(_LONG_STACK, 200)})\]\]>{_SPACE}|([^<]{{0,{_LONG_STACK}}}+))"
    rf"</\{{kind}}>){_SPACE}"
)
_SHOWN = rf"{_OUTPUTS}(?:{_FAILURE})?+{_OUTPUTS}{_PROPERTIES}</testcase>"
_BODY = rf"{_SPACE}(?:/>|>{_SPACE}{_PROPERTIES}(?:{{passed}}{_SHOWN})){_SPACE}"
_PASSED = rf"{_PASSED_OVER}{_PROPERTIES}</testcase>|"
"""Tried first: what a test printed that passed is not even copied."""
_KIND = 3  # which of these groups is the kind; 1 and 2 are what was printed
GROUPS = 8
_WHITE = re.compile(_SPACE)
_sentinel = itemgetter(-1)
_OPENING = re.compile(rf"<testcase({_ATTRIBUTES}){_SPACE}/?>")
_ATTRIBUTE = re.compile(rf'({_NAME})="([^"]*)"')
_OUTCOME_ATTRIBUTES = frozenset({"status", "result"})
_NEEDS_A_CLOSER_LOOK = frozenset({"filepath", "lineno"})


class CaseLayout:
    """How cases with one list of attributes are read.

    A row holds their values, then the groups of `_BODY`, then the sentinel: that group takes a tag which is no simple
    case, for `findall` must not pass over one.
    """

    __slots__ = ("_blank", "_opening", "_pattern", "names")

    def __init__(self, names: tuple[str, ...]) -> None:
        """Make the expressions for cases with these attributes, in this order."""
        self.names = names
        attributes = "".join(rf'[ \t\r\n]++{re.escape(name)}="([^"]*+)"' for name in names)
        # Where attributes may say that a case failed, what it printed is wanted in any event.
        may_fail = not _OUTCOME_ATTRIBUTES.isdisjoint(names)
        body = _BODY.replace("{passed}", "" if may_fail else _PASSED)
        self._pattern = re.compile(
            f"<testcase{attributes}" + body.replace(r"\{kind}", rf"(?:\{len(names) + _KIND})") + "|(<)"
        )
        self._opening = None if may_fail else re.compile(f"<testcase{attributes}{_SPACE}>{_SPACE}(?=<system-)")
        self._blank = ("",) * (GROUPS + 1)

    def read_all(self, text: str, at: int, end: int) -> list[Row]:
        """Every case between two places; empty when anything else is there too."""
        rows: list[Row] = self._pattern.findall(text, at, end) if end > at else []
        return [] if any(map(_sentinel, rows)) else rows

    def read(self, text: str, at: int, most: int) -> tuple[list[Row], int]:
        """The cases that follow one another from `at` on, at most so many, and where they end."""
        rows: list[Row] = []
        match, sentinel = self._pattern.match, self._pattern.groups
        while len(rows) < most:
            found = match(text, at)
            if found is not None and found.lastindex != sentinel:
                rows.append(found.groups(""))
                at = found.end()
                continue
            row, at = self._passed_with_output(text, at)
            if row is None:
                break
            rows.append(row)
        return rows, at

    def _passed_with_output(self, text: str, at: int) -> tuple[Row | None, int]:
        """A case that passed and printed a lot, which is not looked at."""
        opening = self._opening.match(text, at) if self._opening is not None else None
        if opening is None:
            return None, at
        position = opening.end()
        for name in ("system-out", "system-err"):
            if text.startswith(f"<{name}>", position):
                end = _end_of_output(text, position + len(name) + 2, f"</{name}>")
                if end < 0:
                    return None, at
                position = _after_space(text, end)
        if not text.startswith("</testcase>", position):
            return None, at
        return opening.groups() + self._blank, _after_space(text, position + 11)


def names_at(text: str, at: int) -> tuple[str, ...] | None:
    """The attributes of the case at `at`; None when such cases need a closer look."""
    opening = _OPENING.match(text, at)
    if opening is None:
        return None
    names = tuple(name for name, _ in _ATTRIBUTE.findall(opening.group(1)))
    if len(set(names)) < len(names) or "name" not in names or not _NEEDS_A_CLOSER_LOOK.isdisjoint(names):
        return None
    return None if "class" in names and "classname" not in names else names


def end_of_cases(text: str, at: int, limit: int) -> int:
    """Up to where, from `at` on and before `limit`, there are whole cases of one suite, if all goes well."""
    end = text.rfind("<testcase", at + 1, limit)
    suite_end = text.find("</testsuite", at, limit)
    return suite_end if suite_end >= 0 else end


def _end_of_output(text: str, at: int, closing: str) -> int:
    """Where the output that begins at `at` is closed; -1 when it is not, or is more than text and one section."""
    end = text.find(closing, at)
    markup = text.find("<", at, end) if end >= 0 else -1
    if end < 0 or markup < 0:
        return end + len(closing) if end >= 0 else -1
    section_end = text.rfind("]]>", markup, end)
    is_section = text.startswith("<![CDATA[", markup) and section_end >= 0
    return end + len(closing) if is_section and not text[section_end + 3 : end].strip() else -1


def _after_space(text: str, at: int) -> int:
    """The next place that is no white space."""
    found = _WHITE.match(text, at)
    return found.end() if found else at
