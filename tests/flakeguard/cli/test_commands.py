"""The table of commands."""

import pytest

from flakeguard import cli
from flakeguard.cli import COMMANDS, Entry, load


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_explains_itself(run, name):
    result = run([name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{name} " in result.stdout


def test_a_command_whose_packages_are_missing_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(COMMANDS, "serve", Entry("no_such_server_package.cli:serve", "Serve."))
    with pytest.raises(cli.typer.Exit) as left:
        load("serve", COMMANDS["serve"])
    assert left.value.exit_code == 2


def test_our_own_missing_module_is_a_defect_and_not_a_missing_package():
    with pytest.raises(ModuleNotFoundError):
        load("typo", Entry("flakeguard.cli.no_such_module:run", "Never."))


def test_version(run):
    result = run(["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("flakeguard ")


def test_an_unknown_command_is_a_usage_error(run):
    result = run(["uplaod"])
    assert result.exit_code == 2
    assert "upload" in result.stderr


def test_an_unexpected_error_is_not_taken_for_findings(monkeypatch, capsys):
    def explode():
        raise RuntimeError("boom")

    monkeypatch.setattr(cli, "app", explode)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 70
    assert "boom" in capsys.readouterr().err
