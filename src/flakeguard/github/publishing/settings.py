"""How things are said, from the settings."""

from flakeguard.github.publishing.commenting import Comments
from flakeguard.github.publishing.conclusion import DISMISS_FLAKE, QUARANTINE, RERUN_FAILED
from flakeguard.github.publishing.publishing import Manner
from flakeguard.settings import FlakeGuardSettings

HANDLED = frozenset({RERUN_FAILED.identifier, QUARANTINE.identifier, DISMISS_FLAKE.identifier})
"""The buttons that something answers: the job `requested-action`."""


def manner_of(settings: FlakeGuardSettings) -> Manner:
    """Links, comments and buttons as they are configured."""
    return Manner(settings.public_url, Comments(settings.github_comments), HANDLED)
