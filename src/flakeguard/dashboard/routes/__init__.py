"""The pages' routes, one module a part of the site."""

from fastapi import APIRouter

from flakeguard.dashboard.routes import (
    account,
    entry,
    events,
    members,
    organizations,
    project_settings,
    runs,
    setup,
    tests,
    uploads,
)

router = APIRouter(include_in_schema=False)
for part in (entry, account, organizations, members, setup, project_settings, tests, runs, uploads, events):
    router.include_router(part.router)
