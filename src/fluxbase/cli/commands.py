"""Every command in one place."""

from typing import Annotated

import typer

from fluxbase.cli import database, keys, serve, tokens, users, worker
from fluxbase.monitoring.health import installed_version

# Locals are never shown in a traceback: they may hold a secret.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("serve-process", hidden=True)(serve.serve_process)
app.command("migrate")(database.migrate)
app.command("status")(database.status)
app.command("url")(database.url)
app.command("token")(tokens.token)
app.command("worker")(worker.worker)
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")


def _show_version(*, value: bool) -> None:
    if value:
        typer.echo(f"fluxbase {installed_version()}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """PostgreSQL as a backend: accounts, REST, realtime, storage, jobs. Exit codes are in docs/fluxbase/cli.md."""
