"""How things are said, from the settings."""

from flakeguard.github.publishing.commenting import Comments
from flakeguard.github.publishing.conclusion import DISMISS_FLAKE, OPEN_ISSUE, QUARANTINE, RERUN_FAILED
from flakeguard.github.publishing.publishing import Manner
from flakeguard.settings import FlakeGuardSettings

HANDLED = frozenset(action.identifier for action in (RERUN_FAILED, QUARANTINE, OPEN_ISSUE, DISMISS_FLAKE))
"""The buttons that something answers: the job `requested-action`."""


def manner_of(settings: FlakeGuardSettings) -> Manner:
    """Links, comments and buttons as they are configured."""
    return Manner(settings.public_url, Comments(settings.github_comments), HANDLED)
