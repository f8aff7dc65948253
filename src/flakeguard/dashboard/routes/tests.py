"""The project page (tests and trend), its export, and the page of one test."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flakeguard.dashboard import service
from flakeguard.dashboard.export import as_csv, as_json
from flakeguard.dashboard.forms import notice_of
from flakeguard.dashboard.listing import EXPORT_LIMIT, TestFilter
from flakeguard.dashboard.repository import find_tests
from flakeguard.dashboard.shell import project_shell, reading, storable_bigint
from fluxbase.auth import CurrentUser
from fluxbase.web import render

router = APIRouter(prefix="/projects/{project_id:int}")


@router.get("")
async def project_page(request: Request, user: CurrentUser, project_id: int) -> Response:
    """What needs attention, and how the project does over time."""
    wanted = TestFilter.read(request.query_params)
    now = request.app.state.resources.now()
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "tests")
        overview = await service.overview(connection, project_id, wanted, now)
    return render(request, "project.html", shell=shell, wanted=wanted, notice=notice_of(request), **overview)


async def _export_rows(request: Request, user: CurrentUser, project_id: int) -> tuple[list[Any], int]:
    wanted = TestFilter.read(request.query_params)
    async with reading(request, user) as connection:
        await project_shell(request, connection, user, project_id, "tests")
        now = request.app.state.resources.now()
        return await find_tests(connection, project_id, wanted, now, limit=EXPORT_LIMIT, offset=0)


@router.get("/tests.csv")
async def export_csv(request: Request, user: CurrentUser, project_id: int) -> Response:
    """The table as shown, all of its pages."""
    rows, _ = await _export_rows(request, user, project_id)
    headers = {"Content-Disposition": f'attachment; filename="tests-{project_id}.csv"', "Cache-Control": "no-store"}
    return Response(as_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/tests.json")
async def export_json(request: Request, user: CurrentUser, project_id: int) -> Response:
    """The table as shown, all of its pages, for machines; `total` counts those beyond the limit too."""
    rows, total = await _export_rows(request, user, project_id)
    return JSONResponse({"tests": as_json(rows), "total": total}, headers={"Cache-Control": "no-store"})


@router.get("/flakes/{test_case_id:int}")
async def test_page(request: Request, user: CurrentUser, project_id: int, test_case_id: int) -> Response:
    """One test: verdict, evidence, score, failures, durations."""
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "tests")
        detail = await service.test_detail(connection, project_id, storable_bigint(test_case_id))
    weights = request.app.state.settings.score_weights
    return render(request, "test.html", shell=shell, weights=weights, notice=notice_of(request), **detail)
