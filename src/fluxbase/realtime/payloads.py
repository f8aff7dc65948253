"""The JSON of changes, made once for all listeners with equal rights."""

import json
from collections.abc import Mapping

from fluxbase.realtime.events import Change, Version
from fluxbase.realtime.filters import Kind
from fluxbase.realtime.json_text import Raw, json_text
from fluxbase.realtime.tables import LiveTable


def row_payload(
    table: LiveTable, operation: str, change: Change, record: Version | None, old_record: Version | None
) -> str:
    """`{"type", "schema", "table", "at", "record", "old_record"}`, with the columns that the role may read."""
    return (
        f'{{"type":"{operation}","schema":{json.dumps(table.schema)},"table":{json.dumps(table.name)},'
        f'"at":"{change.at.isoformat()}","record":{_row(table, record)},"old_record":{_row(table, old_record)}}}'
    )


def _row(table: LiveTable, version: Version | None) -> str:
    if version is None:
        return "null"
    # A column that was added since the table was described is nobody's who has rights on columns alone.
    if table.is_whole or version.values.keys() <= table.readable.keys():
        return version.text  # PostgreSQL's own JSON, untouched
    return _without(version, table.readable)


def _without(version: Version, readable: Mapping[str, Kind]) -> str:
    return json_text({name: value for name, value in _parts(version.text).items() if name in readable})


def sent_by_sql(details: str) -> tuple[str, str]:
    """The event and the payload (JSON text) of a `realtime.send`."""
    parts = _parts(details)
    return str(parts.get("event")), json_text(parts.get("payload"))


def _parts(text: str) -> dict[str, object]:
    return json.loads(text, parse_float=Raw, parse_int=Raw)  # numbers stay the text that PostgreSQL wrote


def bulk_payload(table: LiveTable | tuple[str, str], reason: str, details: Mapping[str, object]) -> str:
    """`{"schema", "table", "reason", …}`: read the table again, for `reason`."""
    schema, name = table if isinstance(table, tuple) else (table.schema, table.name)
    return json.dumps({"schema": schema, "table": name, "reason": reason, **details})
