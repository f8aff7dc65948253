"""The texts of mails. Pure: what is sent is a function of what it is about."""

from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formataddr, parseaddr


@dataclass(frozen=True, slots=True)
class Text:
    """A mail's subject, its words before the link or code, and after it."""

    subject: str
    before: str
    after: str


_TEXTS = {
    "confirmation": Text(
        "Confirm your e-mail address",
        "Somebody, hopefully you, made an account with this address. To confirm that it is yours, open",
        "If it was not you, do nothing: whoever chose its password could use it.",
    ),
    "recovery": Text(
        "Set a new password",
        "Somebody, hopefully you, forgot the password of the account with this address. To set a new one, open",
        "If it was not you, do nothing: your password stays what it is.",
    ),
    "magiclink": Text(
        "Your link to sign in",
        "To sign in, open",
        "If you did not ask for it, do nothing, and pass this mail on to nobody.",
    ),
    "otp": Text(
        "Your code to sign in",
        "To sign in, enter",
        "If you did not ask for it, do nothing, and tell the code to nobody.",
    ),
    "exists": Text(
        "You have an account already",
        "Somebody, hopefully you, tried to make an account with this address, which has one. To sign in, go to",
        "If you forgot the password, ask for a new one there. If it was not you, do nothing.",
    ),
}


def compose(purpose: str, *, sender: str, recipient: str, what: str, lifetime: timedelta | None) -> EmailMessage:
    """A mail of plain text. `what` is the link or code, which stands on a line of its own."""
    text = _TEXTS[purpose]
    message = EmailMessage()
    message["From"] = formataddr(parseaddr(sender))
    message["To"] = recipient
    message["Subject"] = text.subject
    message["Auto-Submitted"] = "auto-generated"
    good_for = f"It is good once, for {_spoken(lifetime)}. " if lifetime else ""
    message.set_content(f"{text.before}\n\n  {what}\n\n{good_for}{text.after}\n", cte="8bit")
    return message


def _spoken(lifetime: timedelta) -> str:
    minutes = int(lifetime.total_seconds() // 60)
    hours = minutes // 60
    if minutes % 60:
        return f"{minutes} minutes"
    return f"{hours} hour{'s' if hours > 1 else ''}"
