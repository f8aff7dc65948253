"""The success body of the enveloped paths."""

from typing import Any

from fastapi.encoders import jsonable_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse

from fluxbase.http.context import request_id


def success(request: Request, data: Any, *, status: int = 200) -> JSONResponse:
    """`{"request_id", "data"}`; dataclasses, dates and UUIDs in `data` become JSON."""
    return JSONResponse({"request_id": request_id(request), "data": jsonable_encoder(data)}, status_code=status)
