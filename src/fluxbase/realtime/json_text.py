"""JSON of rows as text, with numbers as PostgreSQL wrote them: Python's own encoder would round or quote them."""

import json
from decimal import Decimal
from typing import Any, cast


class Raw(str):
    """A number's text."""

    __slots__ = ()


def json_text(value: Any, *, comma: str = ",", colon: str = ":") -> str:
    """The text of what was read from JSON; its numbers may be `Raw`, Decimals or Python's own."""

    def inner(item: Any) -> str:
        return json_text(item, comma=comma, colon=colon)

    if isinstance(value, Raw | Decimal):
        return str(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return (
            f"{{{comma.join(f'{json.dumps(name, ensure_ascii=False)}{colon}{inner(item)}' for name, item in pairs)}}}"
        )
    if isinstance(value, list):
        return f"[{comma.join(map(inner, cast('list[Any]', value)))}]"
    return json.dumps(value, ensure_ascii=False)
