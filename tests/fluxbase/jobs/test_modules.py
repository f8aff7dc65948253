"""A user's modules: found, or refused in words that say what to do."""

import sys
from pathlib import Path

import pytest

from fluxbase.errors import ConfigurationError
from fluxbase.jobs import functions_of

MODULE = """
from fluxbase.jobs import Functions, Job

functions = Functions()

@functions.function("{name}")
async def body(job: Job) -> None: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("jobs_one", "jobs_two", "jobs_none"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "jobs_one.py").write_text(MODULE.format(name="one"))
    (tmp_path / "jobs_two.py").write_text(MODULE.format(name="one"))
    (tmp_path / "jobs_none.py").write_text("functions = []")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_modules_name_functions() -> None:
    assert functions_of(("jobs_one",)).names == ["one"]
    assert functions_of(()).names == []


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("modules", "words"),
    [
        (("jobs_absent",), "jobs_absent cannot be imported .*PYTHONPATH"),
        (("jobs_none",), "jobs_none has no `functions"),
        (("jobs_one", "jobs_two"), "jobs_two: a function named one is registered already"),
    ],
)
def test_what_is_wrong_with_a_module_is_said(modules: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        functions_of(modules)
