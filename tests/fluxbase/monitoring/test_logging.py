"""One stream in two formats, without secrets."""

import io
import json
import logging
import os
import re
import socket

import pytest
import structlog

from fluxbase.monitoring import configure_logging
from fluxbase.monitoring.redaction import redact_text
from fluxbase.settings import LogFormat


@pytest.fixture
def lines():
    """Configure and read back: `lines(level=…)` returns a function that gives what was logged."""

    def configure(**options):
        stream = io.StringIO()
        configure_logging(stream=stream, **options)
        return lambda: stream.getvalue().splitlines()

    return configure


def test_json_has_the_worker_documents_fields(lines):
    read = lines()
    structlog.get_logger().info(
        "Processing runs ingestion job",
        job_id="job_123",
        correlation_id="corr_456",
        workflow_run_id=789,
        repository="owner/repo",
    )
    event = json.loads(read()[0])
    assert list(event)[:5] == ["level", "time", "pid", "hostname", "msg"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time"))
    assert event == {
        "level": "info",
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "msg": "Processing runs ingestion job",
        "severity": "INFO",
        "jobId": "job_123",
        "correlationId": "corr_456",
        "workflowRunId": 789,
        "repository": "owner/repo",
    }


def test_text_is_time_level_message_and_pairs(lines):
    read = lines(format=LogFormat.TEXT)
    structlog.get_logger().error("it broke", path="/a b", count=3, empty="", quote='"', none=None)
    assert re.fullmatch(
        r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ERROR it broke path="/a b" count=3 empty="" quote="\\"" none=null',
        read()[0],
    )


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_grep_finds_errors_in_both_formats(lines, log_format):
    read = lines(format=log_format)
    structlog.get_logger().error("it broke")
    structlog.get_logger().info("ingestion completed", ingestion_id=1)
    assert ["ERROR" in line for line in read()] == [True, False]
    assert "ingestion completed" in read()[1]


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_nobody_forges_a_line(lines, log_format):
    read = lines(format=log_format)
    structlog.get_logger().info("first\n2024-01-01T00:00:00Z ERROR forged", name="a\nERROR b")
    assert len(read()) == 1


def test_levels_have_their_names_and_their_order(lines):
    read = lines(level="debug")
    logger = structlog.get_logger()
    logger.debug("a")
    logger.warning("b")
    logger.critical("c")
    assert [json.loads(line)["level"] for line in read()] == ["debug", "warn", "fatal"]
    quiet = lines(level="error")
    logger.warning("b")
    logging.getLogger("library").warning("b")
    logger.error("c")
    assert len(quiet()) == 1
    trace = lines(level="trace")
    logging.getLogger("library").log(5, "very fine")
    assert json.loads(trace()[0])["level"] == "trace"


def test_libraries_speak_the_same_way(lines):
    read = lines()
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
        try:
            int("inside")
        except ValueError:
            logging.getLogger("asyncpg").exception("failed", extra={"attempt": 2})
        logging.getLogger("uvicorn.access").info("GET / 200")
    first, second = (json.loads(line) for line in read())
    assert (first["msg"], first["requestId"]) == ("Started server process [7]", "r1")
    assert (second["level"], second["attempt"]) == ("error", 2)
    assert "ValueError: invalid literal" in second["exception"]


def test_uvicorns_coloured_copy_of_a_message_is_left_out(lines):
    read = lines()
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[36mStarted\x1b[0m"})
    assert "color" not in read()[0].lower()
    assert json.loads(read()[0])["msg"] == "Started"


def test_secrets_do_not_reach_the_log(lines):
    read = lines(format=LogFormat.TEXT)
    logger = structlog.get_logger()
    key = "fg_1a2b3c4d5e_" + "S" * 40
    message = f"opened postgresql://runtime:SSSSSSSS@db:5432/x with {key}"
    logger.info(
        message,
        password="SSSSSSSS",
        api_key="SSSSSSSS",
        nested={"Authorization": "SSSSSSSS", "list": [f"Bearer {'S' * 20}", 1]},
        database_dsn="SSSSSSSS",
        slack="https://hooks.slack.com/services/T0SSS/B0SSS/SSSSSSSS",
        jwt="eyJSSSSSSSSSS.SSSSSSSS.SSSSSSSS",
        tokens=3,
        key_prefix="fg_1a2b3c4d5e",
    )
    try:
        int(key)
    except ValueError:
        logger.exception("failed")
    logging.getLogger("asyncpg").warning("password=%s", "SSSSSSSS")
    text = "\n".join(read())
    assert "SSSS" not in text
    assert "runtime:[redacted]@db:5432" in text
    assert "fg_1a2b3c4d5e_[redacted]" in text
    assert "tokens=3" in text
    assert "keyPrefix=fg_1a2b3c4d5e" in text


def test_what_is_no_secret_stays():
    for harmless in (
        "test_login_with_expired_password_fails",
        "tests/auth/test_tokens.py::test_token=1",
        "http://db:5432/x",
        "fg_1a2b3c4d5e",
    ):
        assert redact_text(harmless) == harmless
    for secret in ("fbs_" + "S" * 43, "ghp_" + "S" * 36, "xoxb-" + "S" * 24, "?token=SSSS", "Basic SSSSSSSSSSSS"):
        assert "SSSS" not in redact_text(f"got {secret}!")
