"""What an upload says about the run it reports: which commit, which job, when."""

import hashlib
from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from flakeguard.errors import InvalidMetaError

_SEPARATOR = "\x1f"

# PostgreSQL holds no NUL; other control characters have no business in a branch's name either.
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # with a day to spare for any zone

type Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=_PRINTABLE)]


def _plausible(moment: datetime) -> datetime:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"lies outside of the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


type Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


_IN_WORDS = {
    "sha": "must be 4 to 64 letters, digits, dots, dashes or underscores",
    "run_url": "must be an http or https address without blanks",
}
"""What the patterns ask for; those that are not here forbid control characters."""


def _told(problem: ErrorDetails) -> str:
    """A problem in words, with the field's name."""
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "string_pattern_mismatch":
        return f"{field}: {_IN_WORDS.get(field, 'must not hold control characters')}"
    return f"{field or 'meta'}: {problem['msg']}"


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class RunMeta(BaseModel):
    """The `meta` document. Names were born on GitHub; other providers fill them with what they have.

    Times are RFC 3339 with a zone. Unknown fields are ignored, so that newer clients can say more.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    project_slug: Text | None = None
    sha: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z._-]{4,64}$")]
    branch: Text = ""
    provider: Text | None = None
    repo_full_name: Text | None = None
    workflow_name: Text | None = None
    workflow_ref: Text | None = None
    github_run_id: Annotated[Text | None, BeforeValidator(_as_text)] = None
    github_run_attempt: int = Field(1, ge=1, le=100_000)
    github_run_number: int | None = Field(None, ge=0, le=2**63 - 1)
    run_url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\x00-\x20\x7f]*$")] | None = None
    event: Text | None = None
    pr_number: int | None = Field(None, ge=1, le=2**31 - 1)
    job_name: Text = ""
    job_variant: Text = ""
    started_at: Moment | None = None
    completed_at: Moment | None = None

    @classmethod
    def parse(cls, document: bytes) -> Self:
        """Read the JSON document.

        Raises:
            InvalidMetaError: It is not JSON, or a field is not what it should be; the text names each field.
        """
        try:
            return cls.model_validate_json(document)
        except ValidationError as error:
            raise InvalidMetaError(f"meta is not usable: {'; '.join(map(_told, error.errors()))}") from None

    def run_key(self, contents: bytes) -> bytes:
        """The run's identity, 16 bytes: provider, repository, run id, attempt, job and variant.

        Without a run id it is commit, branch, job, variant and `contents` (a digest of what was uploaded), so that
        the same files sent again are the same run, and other files another.
        """
        if self.github_run_id is not None:
            provider = self.provider or "github"
            parts = (provider, self.repo_full_name or "", self.github_run_id, str(self.github_run_attempt))
        else:
            parts = ("", self.sha, self.branch, contents.hex())
        text = _SEPARATOR.join((*parts, self.job_name, self.job_variant))
        return hashlib.blake2b(text.encode(), digest_size=16, person=b"run").digest()

    def executed_at(self, arrival: datetime) -> datetime:
        """The run's own time: its start as stated, unless that lies in the future, else when it arrived."""
        return arrival if self.started_at is None else min(self.started_at, arrival)
