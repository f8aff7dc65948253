"""GitHub's API as our App: what the rest of FlakeGuard asks it, in its own dataclasses and errors."""

from flakeguard.github.api.app import GitHub
from flakeguard.github.api.installation import Installation
from flakeguard.github.api.posting import RepositoryPoster

__all__ = ["GitHub", "Installation", "RepositoryPoster"]
