"""The page of the command line names every command, option and exit code, and no other."""

import re
from pathlib import Path

import typer

from fluxbase.cli.commands import app
from fluxbase.cli.output import ExitCode

PAGE = (Path(__file__).parents[3] / "docs" / "fluxbase" / "cli.md").read_text()


def commands() -> dict[str, list[str]]:
    """Every command that is not hidden, with its long options."""
    found: dict[str, list[str]] = {}
    for name, command in typer.main.get_command(app).commands.items():
        children = getattr(command, "commands", None)
        leaves = {f"{name} {child}": leaf for child, leaf in children.items()} if children else {name: command}
        for path, leaf in leaves.items():
            if not leaf.hidden:
                found[path] = [option for one in leaf.params for option in one.opts if option.startswith("--")]
    return found


def test_commands_and_options():
    rows = {
        name: row
        for row in re.findall(r"^\| `fluxbase .*$", PAGE, re.MULTILINE)
        for name in re.findall("`fluxbase ([^`]+)`", row)
    }
    assert set(rows) == set(commands())
    for name, options in commands().items():
        assert set(options) - {"--help"} == set(re.findall(r"`(--[a-z-]+)", rows[name])), name


def test_exit_codes():
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)] == [code.value for code in ExitCode]
