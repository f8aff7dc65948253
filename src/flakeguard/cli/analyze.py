"""`flakeguard analyze`: judge a project's tests again, now."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from flakeguard.analysis.analyzing import reanalyze_project
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.repository import SQL
from flakeguard.analysis.settings import analysis_config
from flakeguard.cli.output import ExitCode, fail, plural, print_json, progress, stdout
from flakeguard.cli.starting import reached, read_settings
from flakeguard.quarantine.policy import DEFAULT_POLICY
from flakeguard.quarantine.reviewing import Reviewed, review
from flakeguard.settings import FlakeGuardSettings
from fluxbase.db import Connection
from fluxbase.resources import Addresses, Resources, open_resources


def analyze(
    project: Annotated[str | None, typer.Option(help="The project's slug or number; else every project.")] = None,
    *,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Rebuild every window from the stored attempts, not from what is known.")
    ] = False,
    update_quarantine: Annotated[
        bool, typer.Option("--update-quarantine", help="Propose, expire and resolve decisions about quarantine, too.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Judge every test again at this moment: after a change of thresholds, or to let old verdicts age."""
    settings = read_settings()
    with reached(settings, quiet=True, asks=True) as addresses:
        wanted = _Wanted(project, recompute=recompute, update_quarantine=update_quarantine)
        found = asyncio.run(_analyze(settings, addresses, wanted, quiet=json_))
    if json_:
        reviewed = {slug: asdict(one) for slug, (_, one) in found.items()} if update_quarantine else None
        tests = {slug: judged for slug, (judged, _) in found.items()}
        print_json({"recomputed": recompute, "projects": tests, "quarantine": reviewed})
        return
    for slug, (judged, reviewed) in found.items():
        told = f"; {_in_words(reviewed)}" if update_quarantine else ""
        stdout().print(f"{slug}: {plural(judged, 'test')} judged{told}", soft_wrap=True)


def _in_words(reviewed: Reviewed) -> str:
    return "quarantine: " + ", ".join(f"{count} {name}" for name, count in asdict(reviewed).items())


@dataclass(frozen=True, slots=True)
class _Wanted:
    project: str | None
    recompute: bool
    update_quarantine: bool


async def _analyze(
    settings: FlakeGuardSettings, addresses: Addresses, wanted: _Wanted, *, quiet: bool
) -> dict[str, tuple[int, Reviewed]]:
    """Tests judged, and what became of decisions, by project."""
    async with open_resources(addresses, application_name="flakeguard-analyze") as resources:
        chosen = await _projects(resources, wanted.project)
        if not chosen:
            name = wanted.project
            fail(ExitCode.NOTHING_MATCHED, f"there is no project {name}" if name else "there is no project yet")
        found: dict[str, tuple[int, Reviewed]] = {}
        for project_id, slug, tests in chosen:
            with progress(f"judging {slug}", tests, quiet=quiet) as (bar, task):
                found[slug] = await _analyze_project(
                    resources, analysis_config(settings), project_id, wanted,
                    progress=lambda done, bar=bar, task=task: bar.update(task, completed=done),
                )  # fmt: skip
    return found


async def _analyze_project(
    resources: Resources, config: AnalysisConfig, project_id: int, wanted: _Wanted, *, progress: Callable[[int], None]
) -> tuple[int, Reviewed]:
    reviewed, now = Reviewed(), resources.now()

    async def then(connection: Connection, tests: Sequence[int]) -> None:
        nonlocal reviewed
        if wanted.update_quarantine:
            reviewed += await review(connection, project_id, tests, policy=DEFAULT_POLICY, config=config, now=now)

    judged = await reanalyze_project(
        resources.database, project_id, recompute=wanted.recompute, config=config, now=now, progress=progress, then=then
    )
    return judged, reviewed


async def _projects(resources: Resources, wanted: str | None) -> list[tuple[int, str, int]]:
    async with resources.database.transaction() as connection:
        return [tuple(row) for row in await connection.fetch(SQL["projects_to_analyze"], wanted)]
