"""The plain page behind a mail's link, where no application has one: no template, style or script. Pure."""

from html import escape

from fluxbase.auth.mail.links import PLAIN_PAGE

_TITLES = {
    "confirmation": "Confirm your address",
    "recovery": "Set a new password",
    "magiclink": "Sign in",
}
_NEW_FIELD = (
    '<p><label>New password <input type="password" name="password" autocomplete="new-password" required></label></p>'
)


def form(purpose: str, token: str) -> str:
    """The page with the button that uses the token."""
    title = _TITLES.get(purpose)
    if title is None:
        return done("This link is not complete: open it from the mail once more.")
    return _page(
        title,
        f'<form method="post" action="{PLAIN_PAGE}"><input type="hidden" name="token" value="{escape(token)}">'
        f'<input type="hidden" name="type" value="{escape(purpose)}">{_NEW_FIELD if purpose == "recovery" else ""}'
        f"<button>{title}</button></form>",
    )


def done(message: str) -> str:
    """The page after it."""
    return _page(message, "")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><main><h1>{escape(title)}</h1>{body}</main></html>"
    )
