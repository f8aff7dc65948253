"""The list of scopes: every one that a room asks for is in it, and in the page."""

import re
from pathlib import Path

import pytest

from fluxbase.service_keys.errors import InvalidScopeError
from fluxbase.service_keys.scopes import SCOPES, checked

ROOT = Path(__file__).parents[3]
AREAS = {scope.partition(":")[0] for scope in SCOPES} - {"*"}


def test_what_a_room_asks_for_can_be_given():
    code = "\n".join(file.read_text() for file in (ROOT / "src" / "fluxbase").rglob("*.py"))
    asked = set(re.findall(rf"\"((?:{'|'.join(AREAS)}):[a-z]+)\"", code))
    assert asked == {scope for scope in SCOPES if not scope.endswith("*")}, "and what can be given is asked for"


def test_the_page_names_every_area():
    page = (ROOT / "docs" / "fluxbase" / "service-keys.md").read_text()
    assert {area for area in AREAS if f"`{area}`" not in page} == set()


def test_order_and_doubles():
    assert checked(["storage:*", "tables:write", "tables:read", "tables:read"]) == [
        "tables:read", "tables:write", "storage:*",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "scopes", [[], ["tables"], ["tables:"], ["TABLES:READ"], ["*:read"], ["tables:read", "x"], ["auth:read"]]
)
def test_what_is_none(scopes):
    with pytest.raises(InvalidScopeError):
        checked(scopes)
