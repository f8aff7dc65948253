"""Names, slugs and branches: what is taken, and a slug for a name. Pure."""

import re
import unicodedata

from flakeguard.projects.errors import InvalidBranchError, InvalidNameError, InvalidSlugError

LONGEST_NAME = 200
LONGEST_BRANCH = 250
LONGEST_SLUG, SHORTEST_SLUG = 64, 3
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]")
_NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")
# git-check-ref-format, as far as a person could get it wrong.
_BRANCH = re.compile(r"(?!/)(?!.*(//|\.\.|@\{|/\.|\.lock(/|$)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])")


def clean_name(name: str) -> str:
    """`name` without surrounding blanks.

    Raises:
        InvalidNameError: Empty, too long, or with characters that cannot be shown.
    """
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= LONGEST_NAME or not cleaned.isprintable():
        raise InvalidNameError
    return cleaned


def check_slug(slug: str) -> str:
    """`slug` itself.

    Raises:
        InvalidSlugError: It is none.
    """
    if not _SLUG.fullmatch(slug):
        raise InvalidSlugError
    return slug


def check_organization_slug(slug: str) -> str:
    """`slug` itself; not of digits alone, because those are ids where an organisation is named in an address.

    Raises:
        InvalidSlugError: It is none.
    """
    if slug.isdigit():
        raise InvalidSlugError("An organisation's slug cannot be a number.")
    return check_slug(slug)


def clean_branch(branch: str) -> str:
    """`branch` without surrounding blanks.

    Raises:
        InvalidBranchError: git would not take it.
    """
    cleaned = branch.strip()
    if len(cleaned) > LONGEST_BRANCH or not cleaned.isprintable() or not _BRANCH.fullmatch(cleaned):
        raise InvalidBranchError
    return cleaned


def slug_for(name: str, *, attempt: int = 1) -> str:
    """A slug from a name: `Größe & Co` → `grosse-co`; attempt 2 gives `grosse-co-2`."""
    folded = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode("ascii")
    slug = _NOT_IN_SLUG.sub("-", folded).strip("-")
    if len(slug) < SHORTEST_SLUG or slug.isdigit():
        slug = f"org-{slug}" if slug else "organization"
    ending = f"-{attempt}" if attempt > 1 else ""
    return slug[: LONGEST_SLUG - len(ending)].strip("-") + ending
