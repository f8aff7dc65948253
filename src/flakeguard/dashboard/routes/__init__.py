"""The pages' routes, one module a part of the site."""

from fastapi import APIRouter

from flakeguard.dashboard.routes import (
    account,
    entry,
    events,
    github,
    members,
    organizations,
    project_settings,
    quarantine,
    queues,
    runs,
    setup,
    signing_in,
    tests,
    uploads,
)

router = APIRouter(include_in_schema=False)
_PARTS = (
    entry,
    signing_in,
    account,
    organizations,
    members,
    github,
    setup,
    project_settings,
    tests,
    quarantine,
    runs,
    uploads,
    events,
    queues,
)
for part in _PARTS:
    router.include_router(part.router)
