"""`fluxbase.yaml`: the settings with dots, behind the environment, and nothing in it is silently ignored."""

from datetime import timedelta
from pathlib import Path

import pytest

from fluxbase.durations import parse_duration
from fluxbase.errors import ConfigurationError
from fluxbase.settings import Settings
from fluxbase.settings.reading import read_settings

FILE = """
server:
  address: ":8081"
  rate_limit: {requests_per_second: 10, burst: 20}
realtime: {rls_cache_ttl: 15s, max_connections_per_user: 5}
auth:
  oauth: {github: {client_id: me, client_secret: hidden}}
  redirect_urls: [https://a.example, https://b.example]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "fluxbase.yaml"
    path.write_text(FILE)
    monkeypatch.setenv("FLUXBASE_CONFIG", str(path))
    return path


def test_sections_are_the_variables_with_dots(file: Path):
    settings = Settings(_env_file=None)

    assert settings.listens_on == ("0.0.0.0", 8081)
    assert (settings.requests_per_second, settings.request_burst) == (10, 20)
    assert settings.realtime_rls_cache_ttl == timedelta(seconds=15)
    assert settings.oauth_providers["github"].client_secret.get_secret_value() == "hidden"
    assert settings.redirect_urls == ("https://a.example", "https://b.example")


def test_the_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLUXBASE_REALTIME_MAX_CONNECTIONS_PER_USER", "3")
    monkeypatch.setenv("FLUXBASE_REALTIME_RLS_CACHE_TTL", "1m")

    settings = Settings(_env_file=None)

    assert settings.realtime_max_connections_per_user == 3
    assert settings.realtime_rls_cache_ttl == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("realtime: {rls_cache_tll: 15s}", "realtime.rls_cache_tll, which is no setting"),
        ("realtime: [", "cannot be read"),
        ("- a", "sections"),
    ],
)
def test_what_cannot_be_meant_is_told(file: Path, text: str, told: str):
    file.write_text(text)

    with pytest.raises(ConfigurationError, match=told):
        Settings(_env_file=None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("public: {url: flux.example.com}", "whole address"),
        ("public: {url: 'https://'}", "whole address"),
        ("public: {url: 'http://['}", "whole address"),
        ("auth: {redirect_urls: app.example.com/back}", "app.example.com/back is no whole address"),
        ("auth: {redirect_urls: 'https://'}", "no whole address"),
        ("auth: {redirect_urls: 'localhost:3000'}", "localhost:3000 is no whole address"),
        ("auth: {redirect_urls: 'app.example.com:8443/back'}", "no whole address"),
        ("auth: {jwt_secret: secret}", "at least 32 characters"),
        ("auth: {jwt_expiry: 0s}", "jwt_expiry|1 second"),
        ("auth: {refresh_expiry: 0s}", "refresh_expiry|1 second"),
        ("server: {address: ':65536'}", "host:port"),
    ],
)
def test_a_value_that_cannot_be_is_told(file: Path, text: str, told: str):
    file.write_text(text)

    with pytest.raises(ConfigurationError, match=told):
        read_settings(Settings, _env_file=None)


def test_an_application_on_a_phone_has_a_scheme_of_its_own(file: Path):
    file.write_text("auth: {redirect_urls: 'com.example.app:/back, exp://127.0.0.1:8081'}")

    assert read_settings(Settings, _env_file=None).redirect_urls == ("com.example.app:/back", "exp://127.0.0.1:8081")


def test_a_file_that_is_named_and_missing_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLUXBASE_CONFIG", "/nowhere/fluxbase.yaml")

    with pytest.raises(ConfigurationError, match="nowhere"):
        Settings(_env_file=None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("15m", 900), ("168h", 604800), ("90", 90), (45, 45)]
)
def test_durations(text: object, seconds: float):
    assert parse_duration(text).total_seconds() == seconds


def test_what_is_no_duration_is_told():
    with pytest.raises(ValueError, match="500ms"):
        parse_duration("soon")
    for longer_than_the_calendar in ("99999999h", "999999999999999d", "9" * 400):
        with pytest.raises(ValueError, match="hundred years"):
            parse_duration(longer_than_the_calendar)
