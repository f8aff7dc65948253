"""The plain page behind a mail's link, where no application has one: no template, style or script. Pure."""

from html import escape

from fluxbase.auth.mail.links import PLAIN_PAGE

_TITLES = {
    "confirmation": "Confirm your address",
    "recovery": "Set a new password",
    "magiclink": "Sign in",
    "second_factor": "Second step",
}
_NEW_FIELD = (
    '<p><label>New password <input type="password" name="password" autocomplete="new-password" required></label></p>'
)
_CODE_FIELD = (
    "<p><label>Code of your authenticator, or a recovery code "
    '<input name="code" autocomplete="one-time-code" autocapitalize="none" required></label></p>'
)
_FIELDS = {"recovery": _NEW_FIELD, "second_factor": _CODE_FIELD}


def form(purpose: str, token: str, target: str = "", error: str = "") -> str:
    """The page with the button that uses the token; `target` is where to go afterwards."""
    title = _TITLES.get(purpose)
    if title is None:
        return done("This link is not complete: open it from the mail once more.")
    hidden = {"type": purpose, "token": token, "next": target}
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in hidden.items())
    notice = f'<p role="alert">{escape(error)}</p>' if error else ""
    button = f"<button>{title}</button>"
    action = f'<form method="post" action="{PLAIN_PAGE}">'
    return _page(title, f"{notice}{action}{fields}{_FIELDS.get(purpose, '')}{button}</form>")


def done(message: str) -> str:
    """The page after it."""
    return _page(message, "")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><main><h1>{escape(title)}</h1>{body}</main></html>"
    )
