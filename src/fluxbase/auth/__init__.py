"""Accounts and sessions: who is asking, and how they came to be known."""

from fluxbase.auth.accounts import AccountHooks, Accounts
from fluxbase.auth.dependencies import (
    CurrentUser,
    OptionalUser,
    accounts_of,
    clear_session_cookie,
    client_of,
    current_user,
    optional_user,
    set_session_cookie,
)
from fluxbase.auth.errors import EmailExistsError, InvalidCredentialsError, SignupRefusedError, WeakPasswordError
from fluxbase.auth.model import Client, ConfirmationNeeded, SecondStep, SignedIn, User
from fluxbase.auth.signing_up import SignupState

__all__ = [
    "AccountHooks",
    "Accounts",
    "Client",
    "ConfirmationNeeded",
    "CurrentUser",
    "EmailExistsError",
    "InvalidCredentialsError",
    "OptionalUser",
    "SecondStep",
    "SignedIn",
    "SignupRefusedError",
    "SignupState",
    "User",
    "WeakPasswordError",
    "accounts_of",
    "clear_session_cookie",
    "client_of",
    "current_user",
    "optional_user",
    "set_session_cookie",
]
