"""One mail to the configured SMTP server."""

import asyncio
from email.message import EmailMessage

import aiosmtplib

from fluxbase.settings import Settings

# The whole of it: less than a request is claimed for (delivery), or another process would send the same mail.
_PATIENCE_SECONDS, _ANSWER_SECONDS = 45, 20

# What may be otherwise in a minute: the server is away, slow, or says "not now" (4xx).
FAILURES = (aiosmtplib.SMTPException, OSError)


async def send(settings: Settings, message: EmailMessage) -> None:
    """Hand `message` to the server.

    Raises:
        aiosmtplib.SMTPException, OSError: It did not take it.
    """
    password = settings.smtp_password
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await aiosmtplib.send(
            message,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=_ANSWER_SECONDS,
        )


def is_final(error: Exception) -> bool:
    """Whether the server will not take this mail, however often it is offered."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(_is_permanent(refused.code) for refused in error.recipients)
    return (
        isinstance(error, aiosmtplib.SMTPResponseException)
        and _is_permanent(error.code)
        and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
    )


def _is_permanent(code: int) -> bool:
    return 500 <= code < 600  # noqa: PLR2004 -- RFC 5321, 4.2.1
