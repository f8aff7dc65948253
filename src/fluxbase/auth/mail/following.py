"""What opening a link or entering a code of a mail does."""

from fluxbase.auth import emails, lockout, one_time, passwords, repository, signing_in
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import InvalidCodeError
from fluxbase.auth.mail.first_proof import confirm
from fluxbase.auth.model import Client, Proof, SecondStep, SignedIn, User
from fluxbase.auth.one_time import Purpose
from fluxbase.db import Connection


async def verify_email(accounts: Accounts, token: str, client: Client) -> None:
    """Confirm an address, and with it the password that was chosen when the account was made.

    Raises:
        InvalidCodeError: 401.
        RateLimitError: 429.
    """
    with accounts.counted("verify_email"):
        await accounts.limit("link", client)
        async with accounts.database.transaction() as connection:
            holder = await one_time.spend(connection, token, Purpose.CONFIRMATION, accounts.now())
            await confirm(accounts, connection, holder.user_id, client, keep_password=True)


async def reset_password(accounts: Accounts, token: str, new: str, client: Client) -> None:
    """Set a password by a link, end every session, and lift a lock.

    The mailbox is proof enough for that, but not for the second factor of an account whose address was confirmed
    before: that is asked for at the next sign-in.

    Raises:
        WeakPasswordError: 400; the link stays good.
        InvalidCodeError: 401.
        RateLimitError: 429.
    """
    with accounts.counted("password_reset"):
        await accounts.limit("link", client)
        async with accounts.database.transaction() as connection:
            holder = await one_time.peek(connection, token, Purpose.RECOVERY, accounts.now())
        passwords.check_strength(new, shortest=accounts.settings.password_min_length, email=holder.email)
        password_hash = await passwords.hashed(new)
        async with accounts.database.transaction() as connection:
            await one_time.spend(connection, token, Purpose.RECOVERY, accounts.now())
            await repository.set_password(connection, holder.user_id, password_hash, accounts.now())
            await confirm(accounts, connection, holder.user_id, client, keep_password=True)
            await repository.delete_other_sessions(connection, holder.user_id, None)
            await lockout.forget(connection, holder.email)
            await repository.audit(connection, "user.password_reset", actor_id=holder.user_id, ip=client.ip)


async def sign_in_by_link(accounts: Accounts, token: str, client: Client) -> SignedIn | SecondStep:
    """Open a session by a magic link.

    Raises:
        InvalidCodeError: 401.
        RateLimitError: 429.
    """
    with accounts.counted("magiclink"):
        await accounts.limit("link", client)
        async with accounts.database.transaction() as connection:
            user, _method = await one_time.redeem(connection, token, Purpose.MAGICLINK, accounts.now())
            return await _came_by_mail(accounts, connection, user, client, "magiclink")


async def sign_in_by_code(accounts: Accounts, *, email: str, code: str, client: Client) -> SignedIn | SecondStep:
    """Open a session by a code. A wrong one counts as a failed attempt, and the fifth makes it worthless.

    Raises:
        InvalidCodeError: 401, also for addresses without an account.
        AccountLockedError: 403.
        RateLimitError: 429.
    """
    with accounts.counted("otp"):
        await accounts.limit("signin", client)
        address = emails.typed(email)
        async with accounts.database.transaction() as connection:
            await lockout.require_unlocked(accounts, connection, address)
            user = await repository.find_user_by_email(connection, address)
            if user is not None and await one_time.spend_code(connection, accounts.secret, user, code, accounts.now()):
                return await _came_by_mail(accounts, connection, user, client, "otp")
            await lockout.note_failure(accounts, connection, address)
            actor = user.id if user else None
            await repository.audit(connection, "auth.login_failed", actor_id=actor, ip=client.ip, email=address)
        raise InvalidCodeError


async def _came_by_mail(
    accounts: Accounts, connection: Connection, user: User, client: Client, method: str
) -> SignedIn | SecondStep:
    await confirm(accounts, connection, user.id, client, keep_password=False)
    return await signing_in.first_step_done(accounts, connection, user, client, Proof((method,)))
