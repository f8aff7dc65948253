"""`flakeguard analyze`: judge a project's tests again, now."""

import asyncio
from typing import Annotated

import typer

from flakeguard.analysis.analyzing import reanalyze_project
from flakeguard.analysis.repository import SQL
from flakeguard.analysis.settings import analysis_config
from flakeguard.cli.output import ExitCode, fail, plural, print_json, progress, stdout
from flakeguard.cli.starting import reached, read_settings
from flakeguard.settings import FlakeGuardSettings
from fluxbase.resources import Addresses, Resources, open_resources


def analyze(
    project: Annotated[str | None, typer.Option(help="The project's slug or number; else every project.")] = None,
    *,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Rebuild every window from the stored attempts, not from what is known.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Judge every test again at this moment: after a change of thresholds, or to let old verdicts age."""
    settings = read_settings()
    with reached(settings, quiet=True) as addresses:
        counts = asyncio.run(_analyze(settings, addresses, project, recompute=recompute, quiet=json_))
    if json_:
        print_json({"recomputed": recompute, "projects": counts})
        return
    for slug, tests in counts.items():
        stdout().print(f"{slug}: {plural(tests, 'test')} judged")


async def _analyze(
    settings: FlakeGuardSettings, addresses: Addresses, project: str | None, *, recompute: bool, quiet: bool
) -> dict[str, int]:
    async with open_resources(addresses, application_name="flakeguard-analyze") as resources:
        chosen = await _projects(resources, project)
        if not chosen:
            fail(ExitCode.NOTHING_MATCHED, f"there is no project {project}" if project else "there is no project yet")
        counts: dict[str, int] = {}
        for project_id, slug, tests in chosen:
            with progress(f"judging {slug}", tests, quiet=quiet) as (bar, task):
                counts[slug] = await reanalyze_project(
                    resources.database,
                    project_id,
                    recompute=recompute,
                    config=analysis_config(settings),
                    now=resources.now(),
                    progress=lambda done, bar=bar, task=task: bar.update(task, completed=done),
                )
    return counts


async def _projects(resources: Resources, wanted: str | None) -> list[tuple[int, str, int]]:
    async with resources.database.transaction() as connection:
        return [tuple(row) for row in await connection.fetch(SQL["projects_to_analyze"], wanted)]
