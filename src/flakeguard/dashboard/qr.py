"""QR codes for telephones. Drawn here: a secret goes to no service that draws it for us."""

import segno
from markupsafe import Markup

_MODULE_PIXELS, _QUIET_MODULES = 4, 4  # ISO/IEC 18004 wants four modules of quiet around it


def qr_code(text: str, *, label: str) -> Markup:
    """An image of `text`, dark on light in any theme; `label` is what is read out instead of it."""
    drawing = segno.make_qr(text, error="m").svg_inline(
        scale=_MODULE_PIXELS, border=_QUIET_MODULES, dark="#000", light="#fff"
    )
    image = Markup(drawing)  # noqa: S704 -- a drawing of modules, which holds no text
    return Markup('<div role="img" aria-label="{}">{}</div>').format(label, image)
