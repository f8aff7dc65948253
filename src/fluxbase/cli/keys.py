"""`fluxbase keys`: service keys, for operators."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from fluxbase.cli.output import AsJson, ExitCode, Yes, confirm, fail, print_json, print_table, result, say
from fluxbase.cli.starting import run
from fluxbase.durations import parse_duration
from fluxbase.resources import Resources
from fluxbase.service_keys import Operator, ServiceKey, ServiceKeys
from fluxbase.service_keys.managing import DEFAULT_GRACE_HOURS, LARGEST_RATE, LONGEST_GRACE_HOURS, Issued
from fluxbase.service_keys.repository import Wanted
from fluxbase.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Service keys: make, rotate, revoke.")

KeyId = Annotated[UUID, typer.Argument(help="The key's id, from `fluxbase keys list`.")]
Grace = Annotated[float, typer.Option(min=0, max=LONGEST_GRACE_HOURS, help="Hours that the old key still works.")]
_COLUMNS = ("id", "name", "key_prefix", "scopes", "state", "last_used_at")


def _with_keys[T](work: Callable[[ServiceKeys], Awaitable[T]]) -> T:
    async def do(resources: Resources, _settings: Settings) -> T:
        return await work(ServiceKeys(resources, Operator("fluxbase keys")))

    return run(do)


@app.command("list")
def list_(*, json_: AsJson = False) -> None:
    """List all keys; none of them with its secret."""
    found = _with_keys(lambda keys: keys.list_keys())
    if json_:
        print_json([key.as_json() for key in found])
    else:
        print_table(_COLUMNS, [key.as_json() | {"state": _state(key)} for key in found], "There are no service keys.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="What it may, such as tables:read; repeat it. * is everything.")],
    expires: Annotated[str | None, typer.Option(help="How long it lasts, such as 720h; else for ever.")] = None,
    per_minute: Annotated[int | None, typer.Option(min=1, max=LARGEST_RATE, help="Most requests a minute.")] = None,
    per_hour: Annotated[int | None, typer.Option(min=1, max=LARGEST_RATE, help="Most requests an hour.")] = None,
    *,
    json_: AsJson = False,
) -> None:
    """Make a key and print it, this once."""
    wanted = Wanted(name, scope, per_minute, per_hour, _expiry(expires))
    _show(_with_keys(lambda keys: keys.create(wanted)), json_=json_)


@app.command()
def rotate(key_id: KeyId, grace: Grace = DEFAULT_GRACE_HOURS, *, json_: AsJson = False) -> None:
    """Make a key like this one and print it; this one works until the grace period is over."""
    _show(_with_keys(lambda keys: keys.rotate(key_id, grace)), json_=json_)


@app.command()
def deprecate(key_id: KeyId, grace: Grace = DEFAULT_GRACE_HOURS, *, json_: AsJson = False) -> None:
    """Let a key work until the grace period is over."""
    _told(_with_keys(lambda keys: keys.deprecate(key_id, grace)), json_=json_)


@app.command()
def revoke(
    key_id: KeyId,
    reason: Annotated[str | None, typer.Option(help="Why, for the trail.")] = None,
    *,
    yes: Yes = False,
    json_: AsJson = False,
) -> None:
    """End a key at once and for good."""
    confirm(f"Revoke the key {key_id}? Whatever uses it stops working at once.", yes=yes)
    _told(_with_keys(lambda keys: keys.revoke(key_id, reason)), json_=json_)


@app.command()
def enable(key_id: KeyId, *, json_: AsJson = False) -> None:
    """Switch a key on again."""
    _told(_with_keys(lambda keys: keys.set_enabled(key_id, enabled=True)), json_=json_)


@app.command()
def disable(key_id: KeyId, *, json_: AsJson = False) -> None:
    """Switch a key off until it is enabled."""
    _told(_with_keys(lambda keys: keys.set_enabled(key_id, enabled=False)), json_=json_)


def _expiry(expires: str | None) -> datetime | None:
    if expires is None:
        return None
    try:
        return datetime.now(UTC) + parse_duration(expires)
    except ValueError as error:
        fail(ExitCode.USAGE, f"--expires {error}")


def _show(issued: Issued, *, json_: bool) -> None:
    if json_:
        print_json(issued.key.as_json() | {"key": issued.token})
        return
    say(f"{issued.key.name} ({issued.key.id}): keep the key, it is shown this once")
    result(issued.token)


def _told(key: ServiceKey, *, json_: bool) -> None:
    if json_:
        print_json(key.as_json())
    else:
        say(f"{key.name} ({key.key_prefix}): {_state(key)}")


def _state(key: ServiceKey) -> str:
    now = datetime.now(UTC)
    if key.revoked_at is not None:
        return "revoked"
    if not key.enabled:
        return "disabled"
    if key.ends_at is not None and key.ends_at <= now:
        return "ended"
    return f"deprecated, ends {key.grace_period_ends_at:%Y-%m-%d %H:%M}Z" if key.grace_period_ends_at else "active"
