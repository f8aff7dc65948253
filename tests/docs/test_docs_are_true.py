"""The documents say what the code does: every name in one is in the other. Needs no server."""

import configparser
import functools
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from flakeguard.analysis.model import Answer, EvidenceKind, Severity, Verdict
from flakeguard.app import create_app
from flakeguard.cli import COMMANDS, load
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating.routes import router as queue_router
from flakeguard.worker.operating.serving import health_router, metrics_router
from fluxbase.errors import FluxbaseError
from fluxbase.monitoring import Metrics
from fluxbase.resources import Addresses
from fluxbase.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SOURCES = sorted((ROOT / "src").rglob("*.py"))
NOBODY = Addresses("postgresql://127.0.0.1:1/none", "postgresql://127.0.0.1:1/none", "redis://127.0.0.1:1/0", "x" * 40)
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@functools.cache
def text(page: Path | str) -> str:
    return (page if isinstance(page, Path) else DOCS / page).read_text(encoding="utf-8")


@functools.cache
def code(page: Path) -> str:
    """What stands in code spans and blocks of a page."""
    return "\n".join(CODE.findall(text(page)))


def ids(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def variables(kind: type[BaseSettings]) -> dict[tuple[str, ...], object]:
    """Names of each setting, with its default."""
    return {
        tuple(field.validation_alias.choices): None if field.default_factory else field.default
        for field in kind.model_fields.values()
    }


def shown(default: object) -> str:
    """A default as the tables write it."""
    match default:
        case None | SecretStr():
            return "—"
        case ():
            return "(none)"
        case tuple():
            return f"`{','.join(map(str, default))}`"
        case Enum():
            return f"`{default.value}`"
        case timedelta():
            return f"`{written(default)}`"
        case bool():
            return f"`{str(default).lower()}`"
        case _:
            return f"`{default}`"


def written(duration: timedelta) -> str:
    """A duration in the largest unit that it is a whole number of."""
    seconds = int(duration.total_seconds())
    size, unit = next((size, unit) for size, unit in ((3600, "h"), (60, "m"), (1, "s")) if not seconds % size)
    return f"{seconds // size}{unit}"


def documented_settings() -> dict[tuple[str, ...], str]:
    rows = re.findall(r"^\| ((?:`[A-Z0-9_]+`(?:, )?)+) \| ([^|]+) \|", text("configuration.md"), re.MULTILINE)
    return {tuple(re.findall(r"`([A-Z0-9_]+)`", names)): default for names, default in rows}


def test_every_setting_is_documented_with_its_default_and_no_other_is():
    ours, fluxbases = variables(FlakeGuardSettings), variables(Settings)
    expected = {names: shown(default) for names, default in ours.items()}
    expected |= {names: shown(default) for names, default in fluxbases.items() if names not in ours}
    expected["FLAKEGUARD_HOME",] = "see [operations](operations.md#the-embedded-servers)"

    assert documented_settings() == expected


def test_the_example_file_holds_every_setting_with_its_default_and_no_other():
    lines = re.findall(r"^# ([A-Z0-9_]+)=(\S*)", text(ROOT / ".env.example"), re.MULTILINE)
    settings = variables(Settings) | variables(FlakeGuardSettings)

    assert {name for name, _ in lines} == {name for names in settings for name in names}
    values = {f"`{value}`" if value else "—" for name, value in lines}
    assert values - {"—"} <= {shown(default) for default in settings.values()}


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_variable_that_a_page_names_exists(page: Path):
    known = {name for kind in (Settings, FlakeGuardSettings) for names in variables(kind) for name in names}
    read = " ".join(text(source) for source in SOURCES)
    named = set(re.findall(r"\b(?:FG|FLUXBASE|FLAKEGUARD|WORKER)_[A-Z][A-Z_]+\b", code(page)))

    assert {name for name in named - known if f'"{name}"' not in read} == set()


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def flat(entries: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(method, path) of routes, those of included routers too, which FastAPI keeps apart."""
    for entry in entries:
        if hasattr(entry, "effective_route_contexts"):
            yield from flat(entry.effective_route_contexts())
        elif hasattr(entry, "methods"):
            yield from ((method, entry.path) for method in entry.methods or ())


@functools.cache
def routes() -> frozenset[tuple[str, str]]:
    """(method, path) of everything the application answers, parameters as {}."""
    app = create_app(FlakeGuardSettings(_env_file=None), NOBODY)
    every = [*app.routes, *health_router.routes, *queue_router.routes, *metrics_router.routes]
    return frozenset((method, anonymous(path)) for method, path in flat(every) if method not in ("HEAD", "OPTIONS"))


def anonymous(path: str) -> str:
    """A path with every parameter as {}."""
    return re.sub(r"\{[^}]*\}|<[^>]*>", "{}", path.partition("?")[0]).rstrip("/.,") or "/"


def matches(path: str, template: str) -> bool:
    """Whether a documented path, with parameters or with examples in their place, is a route's."""
    ours, theirs = anonymous(path).split("/"), template.split("/")
    return len(ours) == len(theirs) and all(there in (here, "{}") for here, there in zip(ours, theirs, strict=True))


def mentioned_paths(pages: list[Path]) -> set[str]:
    return {anonymous(path) for page in pages for path in re.findall(r"(/[\w{}<>:./-]*)", code(page))}


def test_every_route_of_the_api_is_documented():
    api = {path for _, path in routes() if path.startswith(("/api/", "/health", "/metrics", "/queues/{}"))}

    assert (
        api - mentioned_paths([DOCS / "api.md", DOCS / "ingestion.md", DOCS / "operations.md", DOCS / "worker.md"])
        == set()
    )


def test_every_page_of_the_dashboard_is_documented():
    others = ("/api/", "/health", "/metrics", "/queues")
    pages = {path for method, path in routes() if method == "GET" and not path.startswith(others)}
    internal = {path for path in pages if path.startswith(("/openapi", "/static"))}

    assert pages - internal - mentioned_paths([DOCS / "dashboard.md", DOCS / "api.md"]) == set()


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_route_that_a_page_names_exists(page: Path):
    named = re.findall(r"\b(GET|POST|PUT|PATCH|DELETE)\s+(/[\w{}<>:./-]*)", code(page))
    unknown = {
        (method, path)
        for method, path in named
        if not any(method == known and matches(path, template) for known, template in routes())
    }

    assert unknown == set()


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_api_path_that_a_page_names_exists(page: Path):
    templates = {path for _, path in routes()}
    starts = {"/".join(path.split("/")[:length]) for path in templates for length in range(3, path.count("/") + 2)}
    named = {anonymous(path) for path in re.findall(r"(/api/v1/[\w{}<>:./-]*)", code(page))}

    assert {path for path in named if not any(matches(path, known) for known in templates | starts)} == set()


def error_codes(kind: type[FluxbaseError] = FluxbaseError) -> set[str]:
    return {kind.code}.union(*(error_codes(child) for child in kind.__subclasses__()))


def test_every_error_of_the_upload_page_exists():
    table = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", text("ingestion.md"), re.MULTILINE)

    assert {name for _, name in table} - error_codes() == {"validation_failed"}  # FastAPI's own


# ── the command line ──────────────────────────────────────────────────────────────────────────────────────────────


@functools.cache
def commands() -> dict[str, list[str]]:
    """Every command and subcommand with its long options."""
    found: dict[str, list[str]] = {}
    for name, entry in COMMANDS.items():
        for path, leaf in leaves(name, load(name, entry)):
            options = [option for parameter in leaf.params for option in parameter.opts]
            found[path] = [option for option in options if option.startswith("--") and option != "--help"]
    return found


def leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """What can be run: commands, those within groups, and groups that do something by themselves."""
    children = getattr(command, "commands", {})
    if not children or getattr(command, "invoke_without_command", False):
        yield path, command
    for name, child in children.items():
        yield from leaves(f"{path} {name}", child)


def test_every_command_and_option_is_documented():
    page = text("cli.md")
    known = commands()

    assert {name for name in known if f"flakeguard {name}" not in page} == set()
    undocumented = {(name, option) for name, options in known.items() for option in options if option not in page}
    assert {pair for pair in undocumented if not pair[1].endswith("-completion")} == set()


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_command_that_a_page_names_exists(page: Path):
    groups = {" ".join(name.split()[:length]) for name in commands() for length in range(1, name.count(" ") + 1)}
    named = re.findall(r"(?<![\w/.@-])flakeguard ([a-z]+)(?: ([a-z-]+))?(?: ([a-z-]+))?", code(page))

    unknown = {name for name, *_ in named if name not in COMMANDS}
    for words in named:
        for length in (1, 2):
            group, sub = " ".join(words[:length]), words[length]
            if group in groups and sub and not sub.startswith("-"):
                unknown |= {f"{group} {sub}"} - {*commands(), *groups}
    assert unknown - COMING == set()


COMING = {"gate"}  # named only to say that it comes later


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_make_target_that_a_page_names_exists(page: Path):
    targets = set(re.findall(r"^([a-z0-9-]+):", text(ROOT / "Makefile"), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", code(page))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_no_page_installs_somebody_elses_tool(page: Path):
    installs = re.findall(
        r"(?:pipx? install|pipx run|uvx|uv add|uv tool install)\s+(?:-\S+\s+)*['\"]?(\w[\w-]*)", text(page)
    )

    assert {name for name in installs if name in ("flakeguard", "autoqa", "fluxbase")} == set()


# ── metrics, tables, words ────────────────────────────────────────────────────────────────────────────────────────


def metric_names() -> set[str]:
    served = CollectorRegistry()
    worker = WorkerMetrics(served)
    api = Metrics()
    state = type("State", (), {"resources": None})()
    api.watch_pool(state)
    families = [*served.collect(), *worker.queues.registry.collect(), *api.registry.collect()]
    pool = {f"fluxbase_db_connections{suffix}" for suffix in ("", "_idle", "_max", "_waiting")}  # need a pool to show
    pool.add("fluxbase_db_requests_total")
    return {f"{one.name}_total" if one.type == "counter" else one.name for one in families} | pool


def test_every_metric_is_documented_and_no_other_is():
    documented = set(re.findall(r"^\| `((?:fluxbase|flakeguard_worker)_\w+)`", text("operations.md"), re.MULTILINE))

    assert documented == metric_names()


@functools.cache
def tables() -> dict[str, str]:
    """Every table that the migrations make, with its definition and the columns added since."""
    sql = "\n".join(text(file) for file in sorted((ROOT / "migrations").rglob("*.sql")))
    found = dict(re.findall(r"^CREATE TABLE ([\w.]+) \((.*?)^\)", sql, re.MULTILINE | re.DOTALL))
    for table, added in re.findall(r"^ALTER TABLE ([\w.]+)\n(.*?);$", sql, re.MULTILINE | re.DOTALL):
        if table in found:
            found[table] += added.replace("ADD COLUMN ", "")
    return found


def test_every_table_is_documented():
    named = set(re.findall(r"`([\w.]+)`", text("architecture.md")))

    assert set(tables()) | {"schema_migrations", "auth.fluxbase_migrations"} <= named


def test_the_diagram_of_the_data_is_true():
    diagram = text("architecture.md").partition("erDiagram")[2].partition("```")[0]
    drawn = re.findall(r"^  (\w+) \{\n(.*?)^  \}", diagram, re.MULTILINE | re.DOTALL)

    assert {name for name, _ in drawn} == {name for name in tables() if "." not in name}
    for name, columns in drawn:
        for kind, column in re.findall(r"^    (\w+) (\w+)", columns, re.MULTILINE):
            assert re.search(rf"^    {column}\s+{kind}\b", tables()[name], re.MULTILINE), f"{name}.{column} {kind}"


@pytest.mark.parametrize("words", [Verdict, Answer, EvidenceKind, Severity])
def test_the_glossary_holds_every_word_of_a_closed_set(words: type[Enum]):
    assert {word.value for word in words} <= set(re.findall(r"`(\w+)`", text("glossary.md")))


# ── links, contracts ──────────────────────────────────────────────────────────────────────────────────────────────


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$",
        CODE.sub(lambda m: m.group().strip("`") if "\n" not in m.group() else "", text(page)),
        re.MULTILINE,
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_relative_link_and_picture_is_there(page: Path):
    broken: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_every_decision_is_in_its_index():
    index = text(DOCS / "adr" / "README.md")

    assert [page.name for page in (DOCS / "adr").glob("0*.md") if page.name not in index] == []


def test_every_page_is_in_the_index():
    assert [
        page.name for page in DOCS.glob("*.md") if page.name not in text("README.md") and page.name != "README.md"
    ] == []


def test_the_import_contracts_name_modules_that_exist():
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    keys = ("root_packages", "layers", "source_modules", "forbidden_modules")
    named = {line for section in contracts.values() for key in keys for line in section.get(key, "").split()}
    ours = {name for name in named if name.partition(".")[0] in ("fluxbase", "flakeguard", "autoqa")}

    def exists(name: str) -> bool:
        path = ROOT / "src" / name.replace(".", "/")
        return path.is_dir() or path.with_suffix(".py").is_file()

    assert {name for name in ours if not exists(name)} == set()


def test_the_checks_above_see_something():
    """A change of a library's insides must not empty them."""
    assert len(commands()) > len(COMMANDS) > 6
    assert len(routes()) > 40
    assert len(metric_names()) > 10
    assert len(tables()) > 15
    assert len(documented_settings()) > 20
