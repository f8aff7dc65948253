"""One stream of logs: ours and every library's, as JSON lines or as text, on standard error.

JSON has the worker document's fields (`level`, `time`, `pid`, `hostname`, `msg`, then `jobId`, `correlationId`,
`requestId` … in camelCase) and `severity`, the level in capitals, so that `grep ERROR` finds errors in both formats.
"""

import json
import logging
import os
import re
import socket
import sys
from datetime import UTC, datetime
from functools import cache, lru_cache
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor

from fluxbase.errors import ConfigurationError
from fluxbase.monitoring.redaction import redact
from fluxbase.settings import LogFormat

TRACE = 5
ACCESS_LOGGER = "fluxbase.access"
_LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_NAMES = {"warning": "warn", "critical": "fatal", "exception": "error", "notset": "trace"}
# Libraries that say at info what we say better, once a request or a query.
_QUIETER = ("uvicorn.access", "httpx", "httpcore", "asyncio", "alembic.runtime.migration")
_SNAKE = re.compile(r"_([a-z0-9])")


def configure_logging(
    *,
    level: str = "info",
    format: LogFormat = LogFormat.JSON,  # noqa: A002 -- the setting's name
    stream: TextIO | None = None,
    folder: Path | None = None,
) -> None:
    """Send structlog's and the standard library's records through one pipeline.

    Args:
        level: trace, debug, info, warn, error or fatal.
        format: JSON lines or text.
        stream: Where to; standard error when None, so that a command's output stays clean.
        folder: Also write `access.log` (one line a request) and `fluxbase.log` (all else) there.

    Raises:
        ConfigurationError: The folder cannot be written to.
    """
    threshold = _LEVELS[level]
    logging.addLevelName(TRACE, "TRACE")
    # Python's own way not to look for the line of code that logs, which we never show: it walks up the whole stack.
    logging._srcfile = None  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 -- https://docs.python.org/3/howto/logging.html#optimization
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(max(threshold, logging.DEBUG)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a command may configure after its modules made their loggers
    )
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, WatchedFileHandler):
            old.close()
    root.handlers = [logging.StreamHandler(stream or sys.stderr), *_files(folder)]
    for handler in root.handlers:
        handler.setFormatter(_formatter(format))
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _files(folder: Path | None) -> list[logging.Handler]:
    """The handlers of a folder: each file is opened anew when logrotate has moved it, in every process by itself."""
    if folder is None:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        access = WatchedFileHandler(folder / "access.log", encoding="utf-8")
        others = WatchedFileHandler(folder / "fluxbase.log", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"logs cannot be written to {folder}: {error.strerror}") from error
    access.addFilter(lambda record: record.name == ACCESS_LOGGER)
    others.addFilter(lambda record: record.name != ACCESS_LOGGER)
    return [access, others]


def _shared() -> list[Processor]:
    return [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, _stamp]


def _formatter(format: LogFormat) -> logging.Formatter:  # noqa: A002 -- the setting's name
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.StackInfoRenderer(),
            redact,
            render_json if format is LogFormat.JSON else render_text,
        ],
    )


def _stamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


@lru_cache(maxsize=1024)
def camel(name: str) -> str:
    """`correlation_id` as the logs have it: `correlationId`."""
    return name if name.startswith("_") else _SNAKE.sub(lambda found: found.group(1).upper(), name)


def _split(event: EventDict) -> tuple[str, str, str, dict[str, Any]]:
    level = str(event.pop("level", "info"))
    message, time = str(event.pop("event", "")), str(event.pop("time", ""))
    event.pop("color_message", None)  # uvicorn's second spelling of its message, with terminal colours in it
    return _NAMES.get(level, level), time, message, {camel(name): value for name, value in event.items()}


_hostname = cache(socket.gethostname)
_as_json = json.JSONEncoder(default=str, ensure_ascii=False).encode  # json.dumps would make one for each line


def render_json(_logger: Any, _method: str, event: EventDict) -> str:
    """One line of JSON."""
    level, time, message, fields = _split(event)
    head = {"level": level, "time": time, "pid": os.getpid(), "hostname": _hostname(), "msg": message}
    return _as_json(head | {"severity": level.upper()} | fields)


def render_text(_logger: Any, _method: str, event: EventDict) -> str:
    """`<time> <LEVEL> <message> key=value …`, a stack on the lines below."""
    level, time, message, fields = _split(event)
    stack = fields.pop("exception", None)
    pairs = "".join(f" {name}={_value(value)}" for name, value in fields.items())
    below = f"\n{stack}" if stack else ""
    return f"{time} {level.upper()} {_one_line(message)}{pairs}{below}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r"[\s\"=\x00-\x1f]", text) else text


def _one_line(message: str) -> str:
    # A line break in a message would let whoever wrote it forge the next log line.
    return message.replace("\r", "\\r").replace("\n", "\\n")
