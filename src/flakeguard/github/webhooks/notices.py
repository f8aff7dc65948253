"""What a delivery says, as far as it matters here. Pure."""

from dataclasses import dataclass
from datetime import datetime

from flakeguard.github.facts import Account, Repository, Run


@dataclass(frozen=True, slots=True)
class InstallationChanged:
    """Installed, removed, suspended; `repositories` are those of a new one."""

    change: str
    repositories: tuple[Repository, ...] = ()


@dataclass(frozen=True, slots=True)
class RepositoriesChanged:
    """What the installation reaches from now on, and no more."""

    added: tuple[Repository, ...]
    removed: tuple[Repository, ...]


@dataclass(frozen=True, slots=True)
class RepositoryGone:
    """The repository was deleted."""


@dataclass(frozen=True, slots=True)
class RunTold:
    """A workflow run was requested, goes on, or is completed."""

    run: Run


@dataclass(frozen=True, slots=True)
class PullTold:
    """A pull request has this head now."""

    number: int
    head_sha: str
    open: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ActionRequested:
    """Somebody pressed a button of our check run."""

    identifier: str
    check_run_id: int
    head_sha: str
    app_id: int | None
    sender: str


@dataclass(frozen=True, slots=True)
class AnalysisWanted:
    """Somebody asked for our checks of a commit to run again."""

    head_sha: str
    app_id: int | None


@dataclass(frozen=True, slots=True)
class Known:
    """Taken note of, and there is nothing to do: a ping, a renaming (the repository's name is kept of every event)."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that FlakeGuard acts on."""

    why: str


type Notice = (
    InstallationChanged
    | RepositoriesChanged
    | RepositoryGone
    | RunTold
    | PullTold
    | ActionRequested
    | AnalysisWanted
    | Known
    | Unknown
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery, understood: where it comes from and what it says. `account` is None where the event names none."""

    event: str
    action: str | None
    installation_id: int | None
    account: Account | None
    repository: Repository | None
    notice: Notice
