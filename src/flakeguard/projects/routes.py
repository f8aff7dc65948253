"""`/api/v1/orgs` and `/api/v1/projects`: each route parses, calls one use case, and answers in the envelope."""

from fastapi import APIRouter

from flakeguard.projects.routes_orgs import router as orgs
from flakeguard.projects.routes_projects import router as projects

router = APIRouter()
router.include_router(orgs)
router.include_router(projects)
