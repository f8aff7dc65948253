"""Which server is asked when nobody names one."""

import json
import subprocess
import sys

from flakeguard.cli.announcing import announced, announced_address
from flakeguard.cli.connecting import LOCAL_URL, home_folder
from fluxbase.embedded import home

RUN = ["--project", "shop", "--sha", "1a2b3c4", "--branch", "main", "--dry-run", "--json"]
ANNOUNCE_FOR_EVER = """
import sys, time
from pathlib import Path
from flakeguard.cli.announcing import announced
with announced(Path(sys.argv[1]), "http://127.0.0.1:3001"):
    print("announced", flush=True)
    time.sleep(600)
"""


def test_the_address_that_up_announced_is_asked(run, write, tmp_path, monkeypatch):
    write("a.xml")
    monkeypatch.setenv("FLAKEGUARD_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()

    def url(*arguments):
        return json.loads(run(["upload", "a.xml", *RUN, *arguments]).stdout)["url"]

    assert url() == LOCAL_URL
    with announced(tmp_path / "home", "http://127.0.0.1:3001"):
        assert url() == "http://127.0.0.1:3001"
        assert url("--url", "http://localhost:4000") == "http://localhost:4000"
    with announced(tmp_path / "home", "http://0.0.0.0:3002"):
        assert url() == "http://127.0.0.1:3002"
    assert url() == LOCAL_URL


def test_an_address_whose_process_was_killed_is_not_asked(run, write, tmp_path, monkeypatch):
    write("a.xml")
    monkeypatch.setenv("FLAKEGUARD_HOME", str(tmp_path))
    command = [sys.executable, "-c", ANNOUNCE_FOR_EVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert announced_address(tmp_path) == "http://127.0.0.1:3001"
        process.kill()
        process.wait(10)
    assert (tmp_path / "address").exists(), "the killed process left it behind"
    assert json.loads(run(["upload", "a.xml", *RUN]).stdout)["url"] == LOCAL_URL
    with announced(tmp_path, "http://127.0.0.1:3002"):
        assert announced_address(tmp_path) == "http://127.0.0.1:3002"


def test_of_two_the_last_is_asked_and_the_first_takes_only_its_own_away(tmp_path):
    first, second = announced(tmp_path, "http://127.0.0.1:3001"), announced(tmp_path, "http://127.0.0.1:3002")
    with first:
        with second:
            assert announced_address(tmp_path) == "http://127.0.0.1:3002"
        assert announced_address(tmp_path) is None
    first, second = announced(tmp_path, "http://127.0.0.1:3001"), announced(tmp_path, "http://127.0.0.1:3002")
    first.__enter__()
    with second:
        first.__exit__(None, None, None)
        assert announced_address(tmp_path) == "http://127.0.0.1:3002"


def test_the_default_home_is_that_of_the_servers(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("flakeguard.cli.connecting._SYSTEM_HOME", tmp_path / "system")
    monkeypatch.setattr(home, "_SYSTEM_HOME", tmp_path / "system")
    for user, is_root in ((0, True), (1000, False)):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        assert home_folder({"XDG_DATA_HOME": str(tmp_path)}, is_root=is_root) == home.default_home()
        named = {"FLAKEGUARD_HOME": str(tmp_path / "named")}
        assert home_folder(named, is_root=is_root) == tmp_path / "named"
