"""Which server is asked when nobody names one."""

import json

from flakeguard.cli.connecting import LOCAL_URL, announced_address
from fluxbase.embedded import home

RUN = ["--project", "shop", "--sha", "1a2b3c4", "--branch", "main", "--dry-run", "--json"]


def test_the_address_that_up_announced_is_asked(run, write, tmp_path, monkeypatch):
    write("a.xml")
    monkeypatch.setenv("FLAKEGUARD_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()

    def url(*arguments):
        return json.loads(run(["upload", "a.xml", *RUN, *arguments]).stdout)["url"]

    assert url() == LOCAL_URL
    with home.Home(tmp_path / "home").announced("http://127.0.0.1:3001"):
        assert url() == "http://127.0.0.1:3001"
        assert url("--url", "http://localhost:4000") == "http://localhost:4000"
    with home.Home(tmp_path / "home").announced("http://0.0.0.0:3002"):
        assert url() == "http://127.0.0.1:3002"
    assert url() == LOCAL_URL


def test_the_default_home_is_that_of_the_servers(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("flakeguard.cli.connecting._SYSTEM_HOME", tmp_path / "system")
    monkeypatch.setattr(home, "_SYSTEM_HOME", tmp_path / "system")
    for user, is_root in ((0, True), (1000, False)):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        folder = home.default_home()
        folder.mkdir()
        (folder / "address").write_text(f"http://127.0.0.1:{user + 1}\n")
        assert announced_address({"XDG_DATA_HOME": str(tmp_path)}, is_root=is_root) == f"http://127.0.0.1:{user + 1}"
    (folder / "address").write_text("")
    assert announced_address({"XDG_DATA_HOME": str(tmp_path)}, is_root=False) is None
