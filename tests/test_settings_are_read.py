"""A setting that nothing reads is a promise that nobody keeps."""

import ast
from collections.abc import Iterator
from pathlib import Path

from flakeguard.settings import FlakeGuardSettings
from fluxbase.settings import Settings

SOURCES = Path(__file__).parents[1] / "src"
HOLDERS = ("settings", "_settings")
"""What settings are called wherever they are passed: `settings.x`, `self._settings.x`, `resources.settings.x`."""


def test_every_setting_has_a_reader() -> None:
    read = {name for path in SOURCES.rglob("*.py") for name in _read_by(path)}

    assert len(read) > 50
    assert {*Settings.model_fields, *FlakeGuardSettings.model_fields} <= read


def _read_by(path: Path) -> Iterator[str]:
    holders = (*HOLDERS, "self") if "settings" in path.relative_to(SOURCES).as_posix() else HOLDERS
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _called(node.value) in holders:
            yield node.attr


def _called(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return None
