"""`flakeguard explain`: is it my change? The run page's answers in a terminal, or in CI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from flakeguard.cli import upload_messages as messages
from flakeguard.cli.connecting import LOCAL_URL, github_event, given_key, server_address
from flakeguard.cli.explain_display import print_explanation
from flakeguard.cli.output import ExitCode, fail, print_json, stdout, warn
from flakeguard.uploading import checkout
from flakeguard.uploading.ci_environment import CiContext, detect
from flakeguard.uploading.client import IngestClient, Refused, RetryPolicy, Unreachable, UploadError

PROJECTS_PATH = "/api/v1/projects"
_ATTEMPTS = 3
_PATIENCE_SECONDS = 30.0


def explain(
    *,
    run: Annotated[int | None, typer.Option(help="Number of the run, as in the address of its page.", min=1)] = None,
    sha: Annotated[
        str | None, typer.Option(help="The newest run of this commit. Default: CI's commit, else the checkout's.")
    ] = None,
    branch: Annotated[str | None, typer.Option(help="The newest run of this branch.")] = None,
    project: Annotated[
        str, typer.Option(envvar="FLAKEGUARD_PROJECT", help="Slug of the project; the key belongs to one anyway.")
    ] = "",
    url: Annotated[
        str,
        typer.Option(
            envvar="FLAKEGUARD_URL",
            help=f"Address of the server. Outside CI, that of `flakeguard up`, else {LOCAL_URL}.",
        ),
    ] = "",
    api_key_file: Annotated[
        Path | None,
        typer.Option(help="File that holds the project key; - reads standard input. Default: $FLAKEGUARD_API_KEY."),
    ] = None,
    fail_on_yours: Annotated[
        bool, typer.Option("--fail-on-yours", help="Leave with 1 when a failure looks like your change.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as the API gives it.")] = False,
) -> None:
    """Is it my change? Answer for every failure of a run, with odds and the attempts that say so.

    Leaves with 0; 1 with --fail-on-yours; 3 when no such run is known; 4 refused, 5 unreachable, 6 no key.
    """
    context = detect(os.environ, github_event())
    wanted = _wanted(run, sha, branch, context)
    server = server_address(url, context)
    policy = RetryPolicy(attempts=_ATTEMPTS, patience_seconds=_PATIENCE_SECONDS)
    with IngestClient(server, _key(api_key_file, context), policy=policy, notice=_say_retry) as client:
        try:
            owner = client.read(f"{PROJECTS_PATH}/current")
            _check_project(project, owner)
            answer = _ask(client, int(owner["id"]), run, wanted)
        except UploadError as error:
            _give_up(error, server, wanted)
    if as_json:
        print_json(answer)
    else:
        print_explanation(stdout(), answer, f"{server}/projects/{owner['id']}")
    if fail_on_yours and answer["answers"].get("yours"):
        raise typer.Exit(int(ExitCode.FINDINGS))


def _wanted(run: int | None, sha: str | None, branch: str | None, context: CiContext | None) -> dict[str, str | None]:
    """Return which run is asked for: what was given, else CI's commit, else the checkout's."""
    if run is not None and (sha or branch):
        fail(ExitCode.USAGE, "--run names one run already: give it without --sha and --branch.")
    if run is not None or sha or branch:
        return {"sha": sha, "branch": branch}
    known = context.sha if context else checkout.commit_and_branch(Path.cwd())[0]
    if not known:
        fail(
            ExitCode.USAGE,
            "Which run? There is no CI system that we know, and no Git checkout here.",
            hint="Give --run NUMBER, --sha COMMIT or --branch NAME.",
        )
    return {"sha": known, "branch": None}


def _key(key_file: Path | None, context: CiContext | None) -> str:
    key = given_key(key_file)
    if key:
        return key
    missing = messages.missing_key(context)
    return fail(ExitCode.NO_CREDENTIALS, missing.message, hint=missing.hint)


def _check_project(wanted: str, owner: Mapping[str, Any]) -> None:
    if wanted and wanted not in (owner["slug"], str(owner["id"])):
        fail(
            ExitCode.REFUSED,
            f"The key belongs to the project {owner['slug']}, not to {wanted}.",
            hint="Each project has keys of its own; is the secret of another one set here?",
        )


def _ask(client: IngestClient, project_id: int, run: int | None, wanted: Mapping[str, str | None]) -> dict[str, Any]:
    if run is not None:
        return client.read(f"{PROJECTS_PATH}/{project_id}/runs/{run}/explanation")
    return client.read(f"{PROJECTS_PATH}/{project_id}/explanation", **wanted)


def _say_retry(error: UploadError, seconds: float) -> None:
    warn(f"{messages.describe(error)} Trying again in {seconds:.0f} s.")


def _give_up(error: UploadError, server: str, wanted: Mapping[str, str | None]) -> NoReturn:
    if isinstance(error, Refused) and error.status == HTTPStatus.NOT_FOUND and error.code == "not_found":
        asked = wanted["sha"] or wanted["branch"] or "this number"
        fail(
            ExitCode.NOTHING_MATCHED,
            f"No run of {asked} is known.",
            hint="Were its reports uploaded (`flakeguard upload`), and has the server read them (--wait)?",
        )
    if isinstance(error, Refused) and not error.is_server_failure:
        fail(ExitCode.REFUSED, messages.describe(error), hint=messages.what_to_do(error))
    if isinstance(error, Unreachable | Refused):
        described = messages.describe(error)
        fail(ExitCode.UNREACHABLE, f"{server} cannot be reached. {described}", hint=messages.UNREACHABLE_HINT)
    raise error
