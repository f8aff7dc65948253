"""`fluxbase token`: an access token for a role, such as the runbook's $ADMIN_TOKEN."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from fluxbase.auth.access_tokens import issue_for_role
from fluxbase.cli.output import ExitCode, fail, result
from fluxbase.cli.starting import settings_of
from fluxbase.durations import parse_duration
from fluxbase.servers import secret_of


class TokenRole(StrEnum):
    """Roles without a person behind them."""

    SERVICE = "service_role"
    ANON = "anon"


def token(
    role: Annotated[TokenRole, typer.Option(help="service_role is the operator; anon is a public client.")],
    expires: Annotated[str, typer.Option(help="How long it lasts: 15m, 1h, 168h.")] = "1h",
) -> None:
    """Print an access token for a role. Nothing but its expiry ends it: keep it short, use service keys for more."""
    try:
        lifetime = parse_duration(expires)
    except ValueError as error:
        fail(ExitCode.USAGE, f"--expires: {error}", hint="Say 15m, 1h or 168h.")
    settings = settings_of()
    result(issue_for_role(secret_of(settings), role.value, now=datetime.now(UTC), lifetime=lifetime))
