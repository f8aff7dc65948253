"""Whatever a client sends is a clear error, or SQL of our own words, the catalog's names and one parameter."""

import json
import re

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxbase.errors import InvalidRequestError, NotFoundError
from fluxbase.resources import Resources
from fluxbase.rest.catalog import Argument, Catalog, Column, Function, Table
from fluxbase.rest.compiler import Statement, compile_call, compile_query
from fluxbase.rest.compiler.statement import array_literal, quoted
from fluxbase.rest.introspection import read_catalog
from fluxbase.rest.parser import MAX_CONDITIONS, Parameters, parse, parse_path, split_list
from fluxbase.rest.query import Call, Conflict, Delete, Insert, Operator, Path, Read, Update
from fluxbase.rest.requests import key_of, object_of, rows_of, where_key

TABLE = Table(
    "public",
    "to\"do; --'s",
    columns=(
        Column("id", "bigint", "N", nullable=False),
        Column("title", "text", "S"),
        Column("done", "boolean", "B"),
        Column("tags", "text[]", "A"),
        Column("data", "jsonb", is_json=True),
        Column("plain", "json", is_json=True),
        Column("span", "int4range", "R"),
        Column("words", "tsvector", generated=True),
        Column('odd "na,me".', "integer", "N"),
        Column("select", "integer", "N"),
    ),
    primary_key=("id",),
    unique_keys=(frozenset(("id",)), frozenset(("title", "done"))),
    plan_keeps=True,
)
WORDS = set(
    re.findall(
        r"\w+",
        """
        select from where and or not as order by limit offset desc nulls first last is null true false unknown any like
        ilike insert into values default on conflict do update set nothing excluded delete returning with lateral
        json_agg json_build_object json_to_record json_to_recordset to_json count text bigint integer boolean json jsonb
        int4range tsvector to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery regconfig
        body rows total t r w o f v args numeric smallint real double precision date time timestamp timestamptz
        interval uuid variadic pg_catalog operator
        """,
    )
)
TOKEN = re.compile(
    r"""(?P<name>"(?:[^"]|"")*")|(?P<word>[a-z_][a-z_0-9]*)|(?P<value>\(\$1::pg_catalog\.text\[\]\)\[\d+\])|(?P<one>1(?=\)))"""
    r"""|(?<=LIMIT\ )(?P<limit>\d+)|(?<=OFFSET\ )(?P<offset>\d+)"""
    r"""|(?P<sign><->|<>|>=|<=|->>|->|=>|@>|<@|@@|&&|~~\*|~~|-\|-|<<|>>|&<|&>|::|\[\]|[=<>(),.*])|(?P<space>\s+)""",
    re.IGNORECASE,
)
NAMES = [column.name for column in TABLE.columns]


def check(statement: Statement, *, names: set[str]) -> None:
    """Every token is a keyword of ours, a name of the catalog, or an element of the parameter."""
    position, values = 0, 0
    while position < len(statement.sql):
        found = TOKEN.match(statement.sql, position)
        assert found, f"{statement.sql[position:][:40]!r} in {statement.sql}"
        position = found.end()
        text = found.group()
        if found.lastgroup == "name":
            assert text in names, text
        elif found.lastgroup == "word":
            assert text.lower() in WORDS, text
        elif found.lastgroup == "value":
            values = max(values, int(text.rpartition("[")[2][:-1]))
    assert values == len(statement.values)
    bare = BARE.search(without_what_is_named(statement.sql))
    assert bare is None, f"{bare} in {statement.sql}"


BARE = re.compile(
    r"[<>=@&|~]|->|\bi?like\b|\b(?!args|body|f\b)[a-z_]+\(|::(?!bigint|boolean|integer|smallint|real|double precision)",
    re.IGNORECASE,
)
"""Functions, operators and types that may be anybody's."""


def without_what_is_named(sql: str) -> str:
    """`sql` without names of the catalog, assignments, and what says that it is PostgreSQL's own."""
    sql = re.sub(r'"(?:[^"]|"")*"', '""', sql)
    sql = re.sub(r'"" = (?:body|excluded)\.""|""\(|=>', "", sql)
    return re.sub(r"OPERATOR\(pg_catalog\.[^\s\w)]+\)|(?:::)?pg_catalog\.\w+\(?", "", sql)


TABLE_NAMES = {quoted(name) for name in (TABLE.schema, TABLE.name, *NAMES)}

odd = st.text(st.sampled_from("abé.,:()\"'\\->{}[]*;$% \0\n1=&|!") | st.characters(), max_size=12)
name = st.sampled_from(NAMES) | odd
path = st.one_of(
    name,
    st.builds(json.dumps, name),
    st.builds("{}->{}".format, st.sampled_from(["data", "plain", "title"]), odd),
    st.builds("data->{}->>{}".format, st.integers(-3, 3), odd),
)
operator = st.sampled_from([*Operator, "fts(english)", "wfts()", "nope"])
condition = st.builds(
    "{}{}.{}".format, st.sampled_from(["", "not."]), operator, odd | st.builds("({})".format, odd) | st.just("null")
)
tree = st.recursive(
    st.builds("{}.{}".format, path, condition),
    lambda inner: st.builds(
        "{}({})".format, st.sampled_from(["and", "or", "not.and", "not.or"]), st.lists(inner, max_size=3).map(",".join)
    ),
    max_leaves=6,
)
parameter = st.one_of(
    st.tuples(path, condition),
    st.tuples(st.sampled_from(["or", "and", "not.or", "not.and"]), st.builds("({})".format, tree) | odd),
    st.tuples(st.just("select"), st.lists(path | st.builds("{}:{}::text".format, odd, path), max_size=3).map(",".join)),
    st.tuples(st.just("order"), st.builds("{}{}".format, path, st.sampled_from(["", ".desc", ".asc.nullslast", ".x"]))),
    st.tuples(st.sampled_from(["limit", "offset"]), st.integers(-1, 10**10).map(str) | odd),
    st.tuples(st.just("count"), st.sampled_from(["exact", "planned"])),
    st.tuples(odd, odd),
)


def encoded(pairs: list[tuple[str, str]]) -> bytes:
    from urllib.parse import quote

    return "&".join(f"{quote(n, errors='replace')}={quote(v, errors='replace')}" for n, v in pairs).encode()


query_strings = st.lists(parameter, max_size=5).map(encoded) | st.binary(max_size=60)
bodies = st.dictionaries(name, st.none() | st.integers() | odd, max_size=4).map(
    lambda value: json.dumps(value).encode()
)


def statements(table: Table, raw: bytes, body: bytes) -> list[Statement]:
    """What the methods would run, of those that are no clear refusal."""
    made: list[Statement] = []
    for build in (
        lambda asked: Read(asked.selection, asked.where, asked.order, asked.limit, asked.offset, asked.total),
        lambda asked: Delete(asked.where, selection=asked.selection),
        lambda asked: Update(object_of(body)[0], tuple(object_of(body)[1]), asked.where, selection=asked.selection),
        lambda asked: Insert(
            rows_of(body).text,
            rows_of(body).columns,
            conflict=Conflict.MERGE if asked.total else None,
            conflict_columns=asked.on_conflict,
            selection=asked.selection,
        ),
        lambda asked: Delete(where_key(key_of(table, raw.decode("latin-1"))), returning=False),
    ):
        try:
            made.append(compile_query(table, build(parse(raw)), max_rows=100))
        except (InvalidRequestError, NotFoundError):
            continue
    return made


@given(query_strings, bodies | st.binary(max_size=20))
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_no_input_makes_sql_that_is_not_ours(raw: bytes, body: bytes) -> None:
    for statement in statements(TABLE, raw, body):
        check(statement, names=TABLE_NAMES)


@given(st.sets(st.sampled_from(['a"b', "c"])), st.integers(0, 5), st.booleans(), st.booleans())
def test_calls_are_ours_too(given_names: set[str], offset: int, returns_set: bool, returns_row: bool) -> None:
    function = Function("public", 'f"x', (Argument('a"b', "integer"), Argument("c", "text", variadic=True)))
    shaped = Function("public", 'f"x', function.arguments, returns_set=returns_set, returns_row=returns_row)
    made = compile_call(shaped, Call(frozenset(given_names), "{}", None, offset), max_rows=10)
    check(made, names={quoted(n) for n in ("public", 'f"x', 'a"b', "c")})


def test_the_check_can_fail() -> None:
    for sql in ("SELECT count(*)", "SELECT t.x::text", "SELECT t.x <> t.x", "SELECT t.x->t.x", "SELECT r LIKE r"):
        with pytest.raises(AssertionError, match="in SELECT"):
            check(Statement(sql.replace(".x", '."id"'), ()), names=TABLE_NAMES)
    for sql in ("SELECT 'x'", "SELECT 2", "DROP t", 'SELECT "other"', "SELECT 1; SELECT", "SELECT -- x"):
        with pytest.raises(AssertionError):
            check(Statement(sql, ()), names=TABLE_NAMES)


async def failure(owner: "asyncpg.Connection[asyncpg.Record]", statement: Statement) -> asyncpg.PostgresError | None:
    """What PostgreSQL says against `statement`, which is undone."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        await owner.fetchrow(statement.sql, *([list(statement.values)] if statement.values else []))
    except asyncpg.PostgresError as error:
        return error
    finally:
        await transaction.rollback()
    return None


VALUES = st.sampled_from(["1", "{a}", "[1,2)", "(1)"])


@pytest.mark.pg16
async def test_whatever_compiles_is_sql_that_postgresql_takes(
    owner: "asyncpg.Connection[asyncpg.Record]", tables: None, resources: Resources
) -> None:
    """A value may be one that its type has no use for; the grammar is never at fault."""
    async with resources.database.transaction() as connection:
        catalog: Catalog = await read_catalog(connection, ("public",))
    todos = catalog.tables["public", "todos"]
    found: list[Statement] = []
    columns = st.sampled_from([column.name for column in todos.columns])
    filters = st.tuples(
        columns, st.builds("{}.{}".format, operator, odd | st.sampled_from(["1", "{a}", "[1,2)", "(1)"]))
    )
    order = st.tuples(st.just("order"), columns)

    @given(st.lists(filters | order | parameter, max_size=3).map(encoded), bodies)
    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], database=None)
    def collect(raw: bytes, body: bytes) -> None:
        found.extend(statements(todos, raw, body))

    collect()
    assert len(found) > 300
    refused = ran = 0
    for statement in found:
        error = await failure(owner, statement)
        ran += error is None
        if error is None:
            continue
        refused += 1
        # to_tsquery's own grammar has the same code.
        assert not isinstance(error, asyncpg.PostgresSyntaxError) or "tsquery" in str(error), statement.sql
        assert (error.sqlstate or "")[:2] in ("22", "23", "42", "54"), (error, statement.sql)
    assert ran > 100
    assert refused > 10


def test_paths_and_lists_are_taken_apart() -> None:
    assert parse_path("a") == Path("a")
    assert parse_path('"a.b"->c->0->>"d,e"') == Path("a.b", ("c", 0, "d,e"), as_text=True)
    assert split_list('a,"b,c",in.(1,2)') == ["a", '"b,c"', "in.(1,2)"]
    assert parse(b"") == Parameters()
    assert array_literal(['a"b', "c\\d", ""]) == '{"a\\"b","c\\\\d",""}'
    with pytest.raises(InvalidRequestError, match=str(MAX_CONDITIONS)):
        parse(b"and=(" + b",".join([b"a.eq.1"] * (MAX_CONDITIONS + 1)) + b")")
