"""Entries of the state as GitHub's JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .state import Repository, State

type Told = Mapping[str, Any]
type Json = dict[str, Any]


def token(secret: str, expires: datetime) -> Json:
    return {"token": secret, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "permissions": {}}


def repository(url: str, one: Repository) -> Json:
    owner, _, name = one.full_name.partition("/")
    return {
        "id": one.id,
        "full_name": one.full_name,
        "name": name,
        "owner": {"login": owner},
        "private": True,
        "default_branch": "main",
    }


def installation(state: State, number: int) -> Json:
    return {"id": number}


def delivery(told: Told) -> Json:
    return dict(told)


def run(url: str, of: Repository, told: Told) -> Json:
    return {"repository": repository(url, of), "html_url": f"{url}/{of.full_name}/actions/runs/{told['id']}", **told}


def artifact(url, of, told):
    return dict(told)


def job(url, of, told, attempt):
    return dict(told)


def check_run(url, of, told):
    return {k: v for k, v in told.items() if k != "annotations"}


def annotation(told):
    return dict(told)


def pull(url, of, told):
    return dict(told)


def comment(url, of, told):
    return dict(told)
