"""Accounts and repositories as GitHub tells of them. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """The user or organisation at GitHub that the App is installed for."""

    id: int
    login: str
    type: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as an event names it; None is what the event does not tell."""

    id: int
    full_name: str
    private: bool | None = None
    default_branch: str | None = None
