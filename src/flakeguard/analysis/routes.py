"""Flakes of a project, one flake with its evidence, and the answers for a run. For members, and the project's keys."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from flakeguard.analysis.explanation import RunExplained, explain_run, newest_run
from flakeguard.analysis.model import Verdict
from flakeguard.analysis.presenting import flake_as_json, run_as_json
from flakeguard.analysis.repository import SQL, load_runs
from flakeguard.analysis.settings import analysis_config
from flakeguard.analysis.standing import standing_findings
from flakeguard.analysis.window import run_ids
from flakeguard.projects.dependencies import ProjectReader
from flakeguard.quarantine.decisions import Latest
from flakeguard.quarantine.repository import open_of_tests
from fluxbase.db import Connection, fetch_page
from fluxbase.errors import NotFoundError
from fluxbase.http import success

router = APIRouter(prefix="/api/v1/projects/{project_id}", tags=["verdicts"])


@router.get("/flakes")
async def list_flakes(
    request: Request,
    reader: ProjectReader,
    verdict: Annotated[list[Verdict] | None, Query(description="these only; else all but stable and unproven")] = None,
    days: Annotated[int | None, Query(ge=1, le=3650, description="failed within so many days")] = None,
    repo: str | None = None,
    job_name: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Tests that are flaky, suspected, broken or recovering, worst score first."""
    resources = request.app.state.resources
    since = resources.now() - timedelta(days=days) if days else None
    verdicts = [str(one) for one in verdict] if verdict else None
    async with resources.database.transaction(reader.claims) as connection:
        rows, total = await fetch_page(
            connection, SQL["flakes"], reader.project.id, verdicts, since, repo, job_name, limit=limit, offset=offset
        )
    flakes = [flake_as_json(row) for row in rows]
    return success(request, {"flakes": flakes, "total": total, "limit": limit, "offset": offset})


@router.get("/flakes/{test_case_id}")
async def get_flake(request: Request, reader: ProjectReader, test_case_id: int) -> Response:
    """One test with score, posterior and `evidence[]`; `runs` describes the runs that the evidence names."""
    async with request.app.state.resources.database.transaction(reader.claims) as connection:
        row = await connection.fetchrow(SQL["flake"], test_case_id, reader.project.id)
        if row is None:
            raise NotFoundError(f"there is no test {test_case_id} in this project")
        window_runs = await load_runs(connection, run_ids([row["window_all"]]))
        findings = standing_findings(row, window_runs)
        evidence = findings.get("evidence", [])
        named = {run_id for piece in evidence for run_id, _, _ in (*piece["failed"], *piece["passed"])}
        runs = await connection.fetch(SQL["described_runs"], list(named))
    described = {str(run["id"]): dict(run) | {"executed_at": run["executed_at"].isoformat()} for run in runs}
    return success(request, flake_as_json(row) | findings | {"evidence": evidence, "runs": described})


@router.get("/runs/{run_id}/explanation")
async def get_explanation(request: Request, reader: ProjectReader, run_id: int) -> Response:
    """Is it my change? Each failure of the run with answer, odds, reason and evidence."""
    config = analysis_config(request.app.state.settings)
    async with request.app.state.resources.database.transaction(reader.claims) as connection:
        explained = await explain_run(connection, reader.project.id, run_id, config=config)
        held = await _held(request, connection, explained)
    return success(request, run_as_json(explained, held))


@router.get("/explanation")
async def get_newest_explanation(
    request: Request, reader: ProjectReader, sha: str | None = None, branch: str | None = None
) -> Response:
    """The same for the newest run of a commit or branch."""
    config = analysis_config(request.app.state.settings)
    async with request.app.state.resources.database.transaction(reader.claims) as connection:
        run_id = await newest_run(connection, reader.project.id, sha, branch)
        explained = await explain_run(connection, reader.project.id, run_id, config=config)
        held = await _held(request, connection, explained)
    return success(request, run_as_json(explained, held))


async def _held(request: Request, connection: Connection, explained: RunExplained) -> dict[int, Latest]:
    tests = [failure.test_case_id for failure in explained.failures]
    return await open_of_tests(connection, tests, request.app.state.resources.now())
