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
    signing_in,
    tests,
    uploads,
)

router = APIRouter(include_in_schema=False)
for part in (entry, signing_in, account, organizations, members, setup, project_settings, tests, runs, uploads, events):
    router.include_router(part.router)
