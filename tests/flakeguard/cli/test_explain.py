"""`flakeguard explain` against a served application with real uploads behind it."""

import asyncio
import contextlib
import json
import socket
from functools import partial

import pytest
import uvicorn

from flakeguard.analysis.config import DEFAULT_CONFIG
from flakeguard.app import create_app
from flakeguard.cli import demo_filling as filling
from flakeguard.demo.history import generate
from flakeguard.uploading.client import RetryPolicy
from fluxbase.auth import passwords
from fluxbase.monitoring import configure_logging

BRANCH = "feature/express-checkout"
RUNS = 12


class Server(uvicorn.Server):
    """Leaves the test runner's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


@pytest.fixture
def no_waits(monkeypatch):
    monkeypatch.setattr("flakeguard.cli.explain.RetryPolicy", partial(RetryPolicy, sleep=lambda _seconds: None))


@pytest.fixture
async def shop(settings, addresses, resources, monkeypatch):
    """The newest runs of the demonstration, served; gives address, key and the runs."""
    monkeypatch.setattr(passwords, "ROUNDS", 4)
    configure_logging(level="fatal", format="text")  # the server logs to the output that the command is read from
    account = await filling.account_for(resources.database, "ada@example.com")
    project = await filling.project_for(resources.database, account.user, "web-shop")
    key, token = await filling.new_key(resources.database, account.user, project)
    runs = generate(resources.now()).runs[-RUNS:]
    await filling.fill(resources, DEFAULT_CONFIG, key, runs, lambda: None)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # who comes before the server is ready waits in the queue
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = Server(uvicorn.Config(create_app(settings, addresses), log_config=None, lifespan="on"))
        serving = asyncio.create_task(server.serve([listening]))
        yield {"FLAKEGUARD_URL": address, "FLAKEGUARD_API_KEY": token}, runs, project
        server.should_exit = True
        await serving
    configure_logging()


async def test_the_newest_run_of_a_branch_commit_or_ci_is_explained(run, shop, owner):
    environment, runs, project = shop
    newest = await owner.fetchval("SELECT id FROM test_runs ORDER BY executed_at DESC LIMIT 1")
    ask = partial(asyncio.to_thread, run)

    shown = await ask(["explain", "--branch", BRANCH], env=environment)
    assert shown.exit_code == 0, shown.output
    assert "1 of " in shown.stdout
    for words in (
        "YOURS",
        "MAIN IS BROKEN",
        "KNOWN FLAKE",
        "odds: over 99 % your change",
        "DID NOT RAISE",
        "✗✗",
        "(3 of ",
    ):
        assert words in shown.stdout
    assert f"{environment['FLAKEGUARD_URL']}/projects/{project.id}/runs/{newest}" in shown.stdout
    assert runs[-1].meta["sha"][:10] in shown.stdout
    assert "test-linux" in shown.stdout

    by_ci = environment | {"GITLAB_CI": "true", "CI_COMMIT_SHA": runs[-1].meta["sha"]}
    asked = (
        (["--branch", BRANCH], environment),
        (["--sha", runs[-1].meta["sha"][:12]], environment),
        (["--run", str(newest), "--project", "web-shop"], environment),
        ([], by_ci),
    )
    documents = []
    for arguments, env in asked:
        result = await ask(["explain", "--json", *arguments], env=env)
        assert result.exit_code == 0, result.output
        documents.append(json.loads(result.stdout))
    assert all(document == documents[0] for document in documents)
    answers = {failure["name"]: failure["answer"] for failure in documents[0]["failures"]}
    assert answers["test_guest_needs_an_address"] == "yours"
    assert answers["test_reduced_rate_for_books"] == "main_broken"
    assert answers["test_webhook_marks_order_as_paid"] == "known_flake"

    assert (await ask(["explain", "--branch", BRANCH, "--fail-on-yours"], env=environment)).exit_code == 1
    main = await ask(["explain", "--branch", "main", "--fail-on-yours"], env=environment)
    assert main.exit_code in (0, 1)
    assert "main" in main.stdout


async def test_what_is_not_known_or_not_allowed(run, shop):
    environment, _, _ = shop
    ask = partial(asyncio.to_thread, run)
    for arguments in (["--branch", "nobody/knows"], ["--run", "999999"], ["--sha", "feedface"]):
        unknown = await ask(["explain", *arguments], env=environment)
        assert unknown.exit_code == 3, unknown.output
        assert "flakeguard upload" in unknown.stderr
    other = await ask(["explain", "--branch", BRANCH, "--project", "other"], env=environment)
    assert other.exit_code == 4
    assert "web-shop" in other.stderr
    wrong = {**environment, "FLAKEGUARD_API_KEY": "fg_aaaaaaaaaa_" + "b" * 40}
    refused = await ask(["explain", "--branch", BRANCH], env=wrong)
    assert refused.exit_code == 4
    assert "b" * 40 not in refused.output


def test_without_a_key_nothing_is_asked(run, server):
    result = run(["explain", "--branch", "main", "--url", server.url])
    assert result.exit_code == 6
    assert not server.requests


def test_a_server_that_is_away(run, unused_port, no_waits):
    environment = {"FLAKEGUARD_API_KEY": "fg_x", "FLAKEGUARD_URL": f"http://127.0.0.1:{unused_port}"}
    result = run(["explain", "--branch", "main"], env=environment)
    assert result.exit_code == 5
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--run", "1", "--sha", "abc"]], ids=["nothing", "both"])
def test_which_run(run, arguments, monkeypatch):
    monkeypatch.setattr("flakeguard.cli.explain.checkout.commit_and_branch", lambda _folder: (None, None))
    result = run(["explain", *arguments], env={"FLAKEGUARD_API_KEY": "fg_x"})
    assert result.exit_code == 2
    assert "--run" in result.stderr
