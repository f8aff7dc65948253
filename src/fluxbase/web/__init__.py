"""The page kit: layout, components, filters and bundled assets, used by every page of every application.

`install(app, packages=…)` mounts `/static` and keeps a `Pages` at `app.state.pages`; routes answer with
`render(request, "template.html", …)`.
"""

from fluxbase.web.errors import error_page
from fluxbase.web.install import install
from fluxbase.web.links import link
from fluxbase.web.pages import Context, Pages, is_partial, redirect, render

__all__ = ["Context", "Pages", "error_page", "install", "is_partial", "link", "redirect", "render"]
