"""`==` takes longer the more of a guess is right: what somebody may guess is compared by `hmac.compare_digest`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src"
_SECRET = re.compile(r"(^|_)(token|secret|signature|digest|mac|hmac|api_key|verifier|password|proof)s?$")
HARMLESS = {
    # A token that this process holds, with one that it just used.
    ("flakeguard/github/api/tokens.py", "kept.token == token"),
    # A request's own token, with the one that the same request brought a moment ago.
    ("fluxbase/auth/identity.py", "known[0] == token"),
    # Digests of texts that everybody may read: is what is to be said at GitHub said already?
    ("flakeguard/github/publishing/checking.py", "known.digest == digest"),
    ("flakeguard/github/publishing/commenting.py", "row['digest'] == digest"),
    ("flakeguard/github/publishing/commenting.py", "row['digest'][_DIGEST_BYTES:] != _news(commit)"),
    # The load test's own GitHub, on loopback, with a token that stands in its code.
    ("flakeguard/loadtest/github.py", "token == TOKEN"),
    # A password that somebody wants to have, with their own address.
    ("fluxbase/auth/passwords.py", "password.lower() == email.lower()"),
    # A JUnit report's framework, by what proves it.
    ("flakeguard/reports/frameworks.py", "self._proof == 'playwright'"),
}


def test_what_may_be_guessed_is_compared_in_constant_time() -> None:
    found = {
        (path.relative_to(SOURCES).as_posix(), text) for path in SOURCES.rglob("*.py") for text in _comparisons(path)
    }
    assert found - HARMLESS == set(), "compare it by hmac.compare_digest, or say here why that is not needed"


def _comparisons(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Compare) or not any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops):
            continue
        sides = (node.left, *node.comparators)
        if any(_is_secret(side) for side in sides) and not any(_is_number(side) for side in sides):
            yield ast.unparse(node)


def _is_number(node: ast.expr) -> bool:
    """How long something is, or how often it has something, is no guess at it."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _is_secret(node: ast.expr) -> bool:
    """Whether a name in it, what is called on it, or what it is looked up by, is one of a secret."""
    match node:
        case ast.Name(id=name):
            return bool(_SECRET.search(name))
        case ast.Attribute(value=of, attr=name):
            return bool(_SECRET.search(name)) or _is_secret(of)
        case ast.Subscript(value=of, slice=ast.Constant(value=str() as name)):
            return bool(_SECRET.search(name)) or _is_secret(of)
        case ast.Subscript(value=of):
            return _is_secret(of)
        case ast.Call(func=ast.Attribute() as called):
            return _is_secret(called)
        case ast.Call(func=ast.Name(id=name)):
            return bool(_SECRET.search(name))
        case ast.Tuple(elts=parts):
            return any(_is_secret(part) for part in parts)
        case _:
            return False
