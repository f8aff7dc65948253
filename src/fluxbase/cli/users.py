"""`fluxbase users`: accounts, for operators."""

import sys
from typing import Annotated
from uuid import UUID

import typer

from fluxbase.auth.admin import accounts
from fluxbase.cli.output import AsJson, ExitCode, Yes, confirm, fail, print_json, print_table, result, say
from fluxbase.cli.starting import run

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Accounts: list, make, delete, set a password.")

Who = Annotated[str, typer.Argument(help="The account's address or id.")]
_COLUMNS = ("id", "email", "sessions", "last_sign_in_at", "created_at")


@app.command("list")
def list_(
    containing: Annotated[str, typer.Option(help="Only addresses that contain this.")] = "", *, json_: AsJson = False
) -> None:
    """List accounts, newest first, at most 1000."""
    found = run(lambda resources, _settings: accounts.list_users(resources, containing))
    if json_:
        print_json(found)
    else:
        print_table(_COLUMNS, found, "There are no accounts.")


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The address; it counts as confirmed.")], *, json_: AsJson = False
) -> None:
    """Make an account and print its id; the password is asked for, or read from standard input."""
    password = _password()
    user_id: UUID = run(
        lambda resources, settings: accounts.create_user(
            resources, email, password, shortest=settings.password_min_length
        )
    )
    if json_:
        print_json({"id": user_id, "email": email})
    else:
        result(str(user_id))


@app.command("set-password")
def set_password(who: Who) -> None:
    """Set an account's password and end all its sessions; it is asked for, or read from standard input."""
    password = _password()
    run(
        lambda resources, settings: accounts.set_password(
            resources, who, password, shortest=settings.password_min_length
        )
    )
    say(f"{who} has a new password; every session has ended")


@app.command()
def delete(who: Who, *, yes: Yes = False) -> None:
    """Delete an account and everything that hangs on it."""
    confirm(f"Delete the account {who}? It cannot be had back.", yes=yes)
    run(lambda resources, _settings: accounts.delete_user(resources, who))
    say(f"{who} is deleted")


def _password() -> str:
    # Never an argument: those are in the shell's history and in every process list.
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        fail(ExitCode.USAGE, "standard input holds no password", hint="Pipe it in, or call this from a terminal.")
    return line
