"""Settings are read from the variables that are named, and from no others."""

import pytest

from flakeguard.settings import FlakeGuardSettings
from fluxbase.settings import Settings


@pytest.mark.parametrize("kind", [Settings, FlakeGuardSettings])
def test_a_variable_called_like_a_field_is_not_a_setting(kind: type[Settings], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.setenv("MIN_RUNS", "77")
    monkeypatch.setenv("SESSION_DAYS", "77")

    settings = kind(_env_file=None)

    assert settings.home is None
    assert settings.session_days == 30
    assert getattr(settings, "min_runs", 5) == 5


def test_named_variables_and_arguments_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLAKEGUARD_HOME", "/srv/flakeguard")
    monkeypatch.setenv("PORT", "3100")

    assert str(FlakeGuardSettings(_env_file=None).home) == "/srv/flakeguard"
    assert FlakeGuardSettings(_env_file=None).port == 3100
    assert FlakeGuardSettings(_env_file=None, port=3200).port == 3200


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Settings, ("FLUXBASE_DATABASE_URL", "FLUXBASE_REDIS_URL", "FLUXBASE_AUTH_JWT_SECRET", "FLUXBASE_PUBLIC_URL")),
        (FlakeGuardSettings, ("FG_DATABASE_DSN", "REDIS_URL", "FG_JWT_SECRET", "FG_PUBLIC_URL")),
    ],
)
def test_what_production_lacks_is_named_as_it_is_read(kind: type[Settings], named: tuple[str, ...]):
    with pytest.raises(ValueError, match=f"production needs {', '.join(named)};"):
        kind(_env_file=None, environment="prod")


def test_in_production_the_nodes_of_a_cluster_stand_for_redis(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REDIS_CLUSTER_ENABLED", "true")
    monkeypatch.setenv("REDIS_CLUSTER_NODES", "redis-1:6379,redis-2:6379")

    settings = FlakeGuardSettings(
        _env_file=None, environment="prod", database_url="postgresql://db/flakeguard", jwt_secret="s" * 32,
        public_url="https://flakeguard.example.com",
    )  # fmt: skip

    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis+cluster://redis-1:6379,redis-2:6379"
