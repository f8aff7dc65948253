"""The list of runs, and the page of one: is it my change?"""

from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.analysis.settings import analysis_config
from flakeguard.dashboard import repository, service
from flakeguard.dashboard.listing import RunFilter
from flakeguard.dashboard.paging import find_page
from flakeguard.dashboard.shell import project_shell, reading, storable_integer
from fluxbase.auth import CurrentUser
from fluxbase.web import render

router = APIRouter(prefix="/projects/{project_id:int}/runs")

_BRANCH_CHOICE_DAYS = 90


@router.get("")
async def runs_page(request: Request, user: CurrentUser, project_id: int) -> Response:
    """Runs, newest first, by branch, commit and status."""
    wanted = RunFilter.read(request.query_params)
    since = request.app.state.resources.now() - timedelta(days=_BRANCH_CHOICE_DAYS)
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "runs")
        runs, page = await find_page(
            wanted.page, lambda page: repository.find_runs(connection, project_id, wanted, page)
        )
        branches = await repository.branches(connection, project_id, since)
    return render(request, "runs.html", shell=shell, wanted=wanted, runs=runs, page=page, branches=branches)


@router.get("/{run_id:int}")
async def run_page(request: Request, user: CurrentUser, project_id: int, run_id: int) -> Response:
    """One run, and for each of its failures whose it is."""
    config = analysis_config(request.app.state.settings)
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "runs")
        detail = await service.run_detail(connection, project_id, storable_integer(run_id), config, shell.at)
    return render(request, "run.html", shell=shell, **detail)
