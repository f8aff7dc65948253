"""Where in the repository a failure happened, as its own text tells. Pure.

Reports name places in many ways: relative to the repository, below a runner's checkout, inside of packages, or by a
file's name alone. Only what is certainly a path of the repository is one; for the rest there is no annotation.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath

_LINE = re.compile(r"(?::(?:line )?|\()(\d{1,7})\b")
_BREAKS = re.compile(r"[\s\"'`()<>|*?,;=\[\]{}]")
_PYTHON = re.compile(r'File "([^"\n]{1,400})", line (\d{1,7})')
_FILE_AND_LINE = re.compile(r"^[ \t]*File:[ \t]*(\S{1,400})[ \t]*\n[ \t]*Line:[ \t]*(\d{1,7})", re.MULTILINE)
_LOOK_BACK = 300
_MOST_FRAMES = 2_000
_MOST_TEXT = 20_000
_LAST_LINE = 1_000_000

_NAME = re.compile(r"[^/]*[^/.][^/]*\.[A-Za-z]\w{0,9}")
# What runners put before a checkout; `name` is the repository's, twice for GitHub's own.
_CHECKOUTS = (
    "/home/runner/work/{name}/{name}/", "/Users/runner/work/{name}/{name}/", "/__w/{name}/{name}/",
    "/runner/_work/{name}/{name}/", "/a/{name}/{name}/", "/github/workspace/", "/builds/{full_name}/",
)  # fmt: skip
_FOREIGN = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|\.venv|venv|\.tox|\.nox|\.cargo|\.m2|\.gradle|\.git|rustc"
    r"|pkg/mod|lib/python[\d.]+)(?:/|$)"
)


@dataclass(frozen=True, slots=True)
class Location:
    """A line of a file of the repository; `path` is relative to its root."""

    path: str
    line: int


def locate(
    *, repository: str, file: str | None, class_name: str, message: str | None, details: str | None
) -> Location | None:
    """The place that a failure's text tells, in the test's own file if it is among them; None when none is sure.

    Args:
        repository: `owner/name`.
        file: the test's file as the report names it.
        class_name: the test's class or (Go) package.
        message: the failure's message.
        details: the failure's stack.
    """
    known = _relative(file, repository) if file else None
    found = [
        place
        for text in (details, message)
        if text
        for path, line in _frames(text[:_MOST_TEXT])
        if (place := _place(path, line, repository, known, class_name)) is not None
    ]
    own = [place for place in found if place.path == known]
    if own:
        return own[0]
    python = [place for place in found if place.path.endswith(".py")]
    if python:
        return python[-1]  # the most recent call is the last
    return found[0] if found else None


def _frames(text: str) -> Iterator[tuple[str, int]]:
    for pattern in (_PYTHON, _FILE_AND_LINE):
        for match in pattern.finditer(text):
            yield match[1], int(match[2])
    for count, match in enumerate(_LINE.finditer(text)):
        if count == _MOST_FRAMES:
            return
        before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
        yield _BREAKS.split(before)[-1], int(match[1])


def _place(path: str, line: int, repository: str, known: str | None, class_name: str) -> Location | None:
    if not 1 <= line <= _LAST_LINE:
        return None
    cleaned = _slashes(path)
    if known and (cleaned == known or cleaned.endswith(f"/{known}") or known.endswith(f"/{cleaned}")):
        return Location(known, line) if "/" not in cleaned or not _FOREIGN.search(cleaned) else None
    if cleaned.endswith(".go") and "/" not in cleaned:
        relative = _go_file(cleaned, repository, class_name)
    else:
        relative = _relative(path, repository)
    # A name alone may lie anywhere: it is no path.
    return Location(relative, line) if relative and "/" in relative else None


def _relative(path: str, repository: str) -> str | None:
    """The path below the repository's root; None when it is not certainly there."""
    cleaned = _slashes(path)
    name = repository.rpartition("/")[2]
    for checkout in _CHECKOUTS:
        root = checkout.format(name=name, full_name=repository).lower()
        if cleaned.lower().startswith(root):
            cleaned = cleaned[len(root) :]
            break
    if cleaned.startswith(("/", "~", "-", "..")) or ":" in cleaned or _FOREIGN.search(cleaned):
        return None
    normal = normpath(cleaned)
    if normal.startswith("..") or not _NAME.fullmatch(normal.rpartition("/")[2]) or not normal.isprintable():
        return None
    return normal


def _slashes(path: str) -> str:
    path = path.replace("\\", "/").removeprefix("file://")
    return re.sub(r"^/?[A-Za-z]:(?=/)", "", path).removeprefix("./")


def _go_file(name: str, repository: str, package: str) -> str | None:
    """Go names the file alone, and the report the package; a major version in it need not be a folder."""
    root = f"github.com/{repository}/".lower()
    if not package.lower().startswith(root) or re.search(r"/v\d+(/|$)", package):
        return None
    return _relative(f"{package[len(root) :]}/{name}", repository)
