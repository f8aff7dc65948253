"""Settings of accounts, sessions and the mail that proves addresses."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from fluxbase.durations import Duration
from fluxbase.settings.kit import is_web_address, names, split

_SHORTEST_SECRET = 32  # HS256's size


class SignupPolicy(StrEnum):
    """Who may make an account: anybody, those with an invite, or nobody."""

    OPEN = "open"
    INVITED = "invited"
    CLOSED = "closed"


class OAuthProvider(BaseModel):
    """One provider of `auth.oauth`. `github` and `google` know their addresses; any other needs its `issuer`."""

    client_id: str
    client_secret: SecretStr
    issuer: str | None = None
    scopes: str | None = None


class AuthSettings(BaseSettings):
    """Tokens, passwords, lock-out, mail and providers."""

    jwt_secret: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_AUTH_JWT_SECRET"))
    jwt_expiry: Duration = Field(
        timedelta(minutes=15), ge=timedelta(seconds=1), validation_alias=names("FLUXBASE_AUTH_JWT_EXPIRY")
    )
    refresh_expiry: Duration = Field(
        timedelta(hours=168), ge=timedelta(seconds=1), validation_alias=names("FLUXBASE_AUTH_REFRESH_EXPIRY")
    )
    session_days: int = Field(30, ge=1, validation_alias=names("FLUXBASE_AUTH_SESSION_DAYS"))
    password_min_length: int = Field(12, ge=8, validation_alias=names("FLUXBASE_AUTH_PASSWORD_MIN_LENGTH"))
    signup_policy: SignupPolicy = Field(SignupPolicy.OPEN, validation_alias=names("FLUXBASE_AUTH_SIGNUP_POLICY"))
    signin_attempts_per_minute: int = Field(10, ge=1, validation_alias=names("FLUXBASE_AUTH_SIGNIN_PER_MINUTE"))
    lockout_attempts: int = Field(10, ge=1, validation_alias=names("FLUXBASE_AUTH_LOCKOUT_ATTEMPTS"))
    lockout_duration: Duration = Field(timedelta(minutes=15), validation_alias=names("FLUXBASE_AUTH_LOCKOUT_DURATION"))
    email_confirmation: bool = Field(False, validation_alias=names("FLUXBASE_AUTH_EMAIL_CONFIRMATION"))  # noqa: FBT003 -- pydantic's signature
    redirect_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias=names("FLUXBASE_AUTH_REDIRECT_URLS")
    )
    oauth_providers: dict[str, OAuthProvider] = Field(
        default_factory=dict[str, OAuthProvider], validation_alias=names("FLUXBASE_AUTH_OAUTH")
    )
    smtp_host: str | None = Field(None, validation_alias=names("FLUXBASE_SMTP_HOST"))
    smtp_port: int = Field(587, ge=1, le=65535, validation_alias=names("FLUXBASE_SMTP_PORT"))
    smtp_username: str | None = Field(None, validation_alias=names("FLUXBASE_SMTP_USERNAME"))
    smtp_password: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_SMTP_PASSWORD"))
    smtp_tls: str = Field("starttls", pattern="^(starttls|tls|none)$", validation_alias=names("FLUXBASE_SMTP_TLS"))
    smtp_from: str = Field("fluxbase@localhost", validation_alias=names("FLUXBASE_SMTP_FROM"))

    @model_validator(mode="after")
    def _confirmation_needs_mail(self) -> Self:
        if self.email_confirmation and self.smtp_host is None:
            raise ValueError("confirming e-mail addresses needs a server to send mail: set FLUXBASE_SMTP_HOST")
        return self

    @field_validator("jwt_secret")
    @classmethod
    def _cannot_be_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        # Whoever tries secrets on a token of their own, at home, and finds it, makes themselves the operator.
        if value is not None and len(value.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(f"is at least {_SHORTEST_SECRET} characters: openssl rand -base64 48")
        return value

    @field_validator("redirect_urls", mode="before")
    @classmethod
    def _split_redirect_urls(cls, value: Any) -> Any:
        return split(value)

    @field_validator("redirect_urls")
    @classmethod
    def _are_whole(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            # Applications on phones have schemes of their own: com.example.app:/back. In localhost:3000 there is none.
            scheme = urlsplit(address).scheme
            of_an_application = scheme not in ("", "http", "https") and address[len(scheme) :].startswith(":/")
            if not (is_web_address(address) or of_an_application):
                raise ValueError(f"{address} is no whole address, such as https://app.example.com/back")
        return value
