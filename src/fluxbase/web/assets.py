"""Bundled files under names that hold a hash of their content: cached for ever, replaced at once."""

import json
from pathlib import Path

import structlog
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

logger = structlog.get_logger(__name__)

MOUNT = "/static"
FOLDER = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """Finds the address of a bundled file by its plain name (`app.js`)."""

    def __init__(self, folder: Path = FOLDER) -> None:
        manifest = folder / "manifest.json"
        self._names: dict[str, str] = json.loads(manifest.read_text("utf-8")) if manifest.is_file() else {}
        if not self._names:
            logger.warning("page assets are not built", folder=str(folder), remedy="make setup")

    def url(self, name: str) -> str:
        """The address of `name`.

        Raises:
            KeyError: The bundle has no such file (it is built whole or not at all; unbuilt, pages come unstyled).
        """
        return f"{MOUNT}/{self._names[name] if self._names else name}"


class ImmutableFiles(StaticFiles):
    """Static files that browsers need not ask for twice."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with caching headers, or 404 without."""
        response = await super().get_response(path, scope)
        if response.status_code in {200, 304} and path != "manifest.json":
            response.headers["Cache-Control"] = _FOR_EVER
        return response


def static_files() -> ImmutableFiles:
    """The application to mount at `MOUNT`."""
    return ImmutableFiles(directory=FOLDER, check_dir=False)
