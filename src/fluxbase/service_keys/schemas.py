"""Bodies of the service keys' API, read whatever the content type says (curl's `-d` says it is a form)."""

from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from fluxbase.errors import InvalidRequestError
from fluxbase.service_keys.managing import DEFAULT_GRACE_HOURS, LARGEST_RATE, LONGEST_GRACE_HOURS

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Scopes = Annotated[list[str], Field(min_length=1, max_length=50)]
Rate = Annotated[int, Field(ge=1, le=LARGEST_RATE)]
Hours = Annotated[float, Field(ge=0, le=LONGEST_GRACE_HOURS)]
Reason = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreateKey(_Body):
    """A new key; `scopes` are those of docs/fluxbase/service-keys.md."""

    name: Name
    scopes: Scopes
    rate_limit_per_minute: Rate | None = None
    rate_limit_per_hour: Rate | None = None
    expires_at: AwareDatetime | None = None


class ChangeKey(_Body):
    """What is absent stays; null clears a rate or the expiry."""

    name: Name = ""
    scopes: Scopes = Field(default_factory=list[str])
    rate_limit_per_minute: Rate | None = None
    rate_limit_per_hour: Rate | None = None
    expires_at: AwareDatetime | None = None

    def given(self) -> dict[str, Any]:
        """The fields that the body named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class RevokeKey(_Body):
    """Why."""

    reason: Reason | None = None


class RotateKey(_Body):
    """How long the old key still works."""

    grace_period_hours: Hours = DEFAULT_GRACE_HOURS


class DeprecateKey(RotateKey):
    """How long the key still works, and why it ends."""

    reason: Reason | None = None


async def read_body[B: BaseModel](request: Request, kind: type[B]) -> B:
    """The body as JSON of that kind; no body is an empty object.

    Raises:
        InvalidRequestError: 400, it is no JSON.
        RequestValidationError: 422, a field is missing or wrong.
    """
    raw = await request.body()
    try:
        return kind.model_validate_json(raw or b"{}")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        if any(item["type"] == "json_invalid" for item in found):
            raise InvalidRequestError("The body is not valid JSON.", code="invalid_json") from error
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in found]) from error


def described(kind: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """What OpenAPI says of such a body."""
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": kind.model_json_schema()}}}
    }
