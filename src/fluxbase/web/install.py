"""Give an application its pages."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from fastapi import FastAPI

from fluxbase.resources import utc_now
from fluxbase.web.assets import MOUNT, static_files
from fluxbase.web.pages import Pages


def install(
    app: FastAPI,
    *,
    packages: Sequence[str] = (),
    macros: Mapping[str, str] | None = None,
    application: str = "Fluxbase",
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Mount the bundled files and keep the templates of `packages` at `app.state.pages`."""
    app.mount(MOUNT, static_files(), name="static")
    app.state.pages = Pages(packages, now=now, macros=macros, application=application)
