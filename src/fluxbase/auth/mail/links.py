"""Where a mail's link leads: to the target that was asked for, the application's page, or Fluxbase's plain one."""

from fluxbase.auth import redirects
from fluxbase.auth.accounts import AccountHooks
from fluxbase.auth.one_time import Purpose
from fluxbase.settings import Settings

PLAIN_PAGE = "/api/v1/auth/link"


def base(settings: Settings) -> str:
    """The address of this installation. Never the Host header's: whoever asks for a mail could name his own."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    return f"http://127.0.0.1:{settings.listens_on[1]}"


def page(settings: Settings, hooks: AccountHooks, purpose: Purpose) -> str:
    """The page of ours for `purpose`, complete."""
    return base(settings) + hooks.pages.get(purpose.value, PLAIN_PAGE)


def link(settings: Settings, hooks: AccountHooks, purpose: Purpose, token: str, redirect_to: str | None) -> str:
    """The link for a token. A page of ours is told where to go afterwards; any other target gets the token itself."""
    if redirect_to is None or redirects.is_own(redirect_to, settings.public_url):
        more = {"next": redirect_to} if redirect_to else {}
        return redirects.with_query(page(settings, hooks, purpose), type=purpose.value, token=token, **more)
    return redirects.with_query(redirect_to, type=purpose.value, token=token)
