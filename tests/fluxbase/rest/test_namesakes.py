"""Somebody's own functions, operators and types, called as PostgreSQL's are: no statement of ours uses them."""

import asyncpg
import pytest

from fluxbase.resources import Resources
from fluxbase.rest.catalog import Catalog, Table
from fluxbase.rest.compiler import Statement, compile_call, compile_query
from fluxbase.rest.introspection import catalog_of, read_catalog
from fluxbase.rest.parser import parse
from fluxbase.rest.query import Call, Conflict, Delete, Insert, Query, Read, Update

FUNCTIONS = (
    "json_agg json_build_object json_to_record json_to_recordset to_json to_tsvector to_tsquery plainto_tsquery "
    "phraseto_tsquery websearch_to_tsquery"
)
OPERATORS = "= <> > >= < <= @> <@ && -|- << >> &< &> ~~ ~~* @@ -> ->>"
CALLED = "a namesake was called"

# What fits better than PostgreSQL's own, which take "any", anyelement, anyarray and so on.
FITTING = f"""
CREATE FUNCTION public.namesake(json, record) RETURNS json LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{CALLED}'; END $$;
CREATE AGGREGATE public.json_agg(record) (SFUNC = public.namesake, STYPE = json);
DO $do$
DECLARE
    one text;
    sign text;
BEGIN
    FOREACH one IN ARRAY ARRAY[
        'json_build_object(text, bigint)', 'json_build_object(text, text)',
        'json_build_object(text, bigint, text, text)', 'json_build_object(text, text, text, bigint)',
        'json_build_object(text, varchar, text, varchar)', 'to_json(integer)', 'to_json(text)',
        'to_tsvector(varchar)', 'set_config(varchar, varchar, boolean)', 'format(text, text, text[])',
        'format(text, text)'
    ] LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION public.%s RETURNS json LANGUAGE plpgsql AS %L', one,
                       $$ BEGIN RAISE EXCEPTION '{CALLED}'; END $$);
    END LOOP;
    FOREACH one IN ARRAY ARRAY['varchar, text', 'text[], text[]', 'mood, mood', 'int4range, int4range'] LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION public.compare(%s) RETURNS boolean LANGUAGE plpgsql AS %L', one,
                       $$ BEGIN RAISE EXCEPTION '{CALLED}'; END $$);
        FOREACH sign IN ARRAY string_to_array('= <> > >= < <= @> <@ && -|- << >> &< &> ~~ ~~*', ' ') LOOP
            EXECUTE pg_catalog.format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = compare)',
                                      sign, split_part(one, ',', 1), split_part(one, ',', 2));
        END LOOP;
    END LOOP;
END $do$;
"""
# The same as PostgreSQL's own, which a path with `public` before pg_catalog prefers.
COPIES = f"""
DO $do$
DECLARE
    one record;
    raising text := $$ BEGIN RAISE EXCEPTION '{CALLED}'; END $$;
    allowed text[] := '{{anyelement,anyarray,anycompatible,anycompatiblearray,anyenum,anyrange,anymultirange,record}}';
BEGIN
    FOR one IN
        SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments,
               format_type(p.prorettype, NULL) AS result
        FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic <> '"any"'::regtype
          AND p.proname = ANY (string_to_array('{FUNCTIONS}', ' ')) AND p.prorettype <> 'record'::regtype
    LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L',
                       one.proname, one.arguments, one.result, raising);
    END LOOP;
    FOR one IN
        SELECT o.oid, o.oprname, format_type(l.oid, NULL) AS l, format_type(r.oid, NULL) AS r,
               format_type(o.oprresult, NULL) AS result
        FROM pg_operator o JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname = ANY (string_to_array('{OPERATORS}', ' '))
          AND (l.typtype <> 'p' OR l.typname = ANY (allowed)) AND (r.typtype <> 'p' OR r.typname = ANY (allowed))
    LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION public.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L',
                       one.oid, one.l, one.r, one.result, raising);
        EXECUTE pg_catalog.format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.op_%s)',
                       one.oprname, one.l, one.r, one.oid);
    END LOOP;
END $do$;
CREATE FUNCTION public.nth(bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{CALLED}'; END $$;
CREATE AGGREGATE public.count(*) (SFUNC = public.nth, STYPE = bigint, INITCOND = 0);
CREATE DOMAIN public.jsonb AS pg_catalog.jsonb CHECK (VALUE IS NULL);
CREATE DOMAIN public.json AS pg_catalog.json CHECK (VALUE IS NULL);
CREATE DOMAIN public.uuid AS pg_catalog.uuid CHECK (VALUE IS NULL);
CREATE DOMAIN public.text AS pg_catalog.text CHECK (VALUE IS NULL);
"""

READS = (
    "count=exact&order=id.desc&limit=2",
    "select=id,name:title&id=eq.1",
    "select=n:id,title::text,data->a->>0&id=in.(1,2)&title=in.(a,milk)",
    "title=eq.milk&title=neq.x&title=gt.a&title=gte.a&title=lt.z&title=lte.z&title=like.m*&title=ilike.M*",
    "tags=cs.{a}&tags=cd.{a,b}&tags=ov.{a}&tags=eq.{a}",
    "span=ov.[1,9)&span=adj.[9,10)&span=sl.[10,20)&span=nxr.[5,10)&span=cs.[2,3)",
    "span=sr.[-2,0)&span=nxl.[-1,2)",
    "mood=eq.ok&mood=gt.sad&mood=in.(ok,happy)&data->a->>0=eq.x&data=cs.{}&made_at=gt.2020-01-01&priority=like.1*",
    "title=fts.milk&title=plfts.milk&title=phfts(english).milk&title=wfts.milk&words=fts(english).milk&data=fts.x",
)
NOTES = (
    "slug=eq.eggs&slug=neq.b&slug=in.(eggs,b)&slug=like.e*&slug=ilike.E*&slug=gte.a&slug=fts.eggs&select=s:slug,slug",
)


@pytest.fixture
async def rows(owner: "asyncpg.Connection[asyncpg.Record]", tables: None) -> None:
    await owner.execute(
        "INSERT INTO todos (user_id, title, tags, data, span, mood, priority)"
        """ VALUES (gen_random_uuid(), 'milk', '{a}', '{"a": ["x"]}', '[1,9)', 'ok', 11)"""
    )
    await owner.execute("INSERT INTO notes (owner, slug) VALUES (gen_random_uuid(), 'eggs')")
    await owner.execute(
        "CREATE FUNCTION pair(x integer) RETURNS TABLE (a integer, b integer) LANGUAGE sql AS 'SELECT x, x';"
        "CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS ''"
    )


@pytest.fixture
async def catalog(rows: None, resources: Resources) -> Catalog:
    async with resources.database.transaction() as connection:
        return await read_catalog(connection, ("public",))


def statements(catalog: Catalog) -> list[Statement]:
    """One for each thing that a client can ask for."""
    todos, notes = catalog.tables["public", "todos"], catalog.tables["public", "notes"]
    calls = [("add", '{"a": 1}'), ("my_titles", "{}"), ("pair", '{"x": 1}'), ("nothing", "{}")]
    user = '"user_id": "00000000-0000-0000-0000-000000000001"'
    first = parse(b"id=eq.1")
    return [
        *(compiled(todos, read(text)) for text in READS),
        *(compiled(notes, read(text)) for text in NOTES),
        compiled(todos, Insert(f'{{{user}, "title": "a"}}', ("user_id", "title"), returning=False)),
        compiled(
            todos,
            Insert(
                f'[{{{user}, "title": "a", "id": 1, "tags": ["b"]}}]', ("user_id", "title", "id", "tags"), many=True,
                conflict=Conflict.MERGE, selection=parse(b"select=n:title,id").selection,
            ),
        ),
        compiled(todos, Update('{"title": "b"}', ("title",), first.where)),
        *(call(catalog, name, body) for name, body in calls),
        compiled(todos, Delete(first.where)),
        compiled(todos, Delete(first.where, returning=False)),
    ]  # fmt: skip


def read(text: str) -> Read:
    asked = parse(text.encode())
    return Read(asked.selection, asked.where, asked.order, asked.limit, asked.offset, asked.total)


def compiled(table: Table, query: Query) -> Statement:
    return compile_query(table, query, max_rows=100)


def call(catalog: Catalog, name: str, body: str) -> Statement:
    (function,) = catalog.functions["public", name]
    given = frozenset(argument.name for argument in function.arguments if argument.name in body)
    return compile_call(function, Call(given, body, None, 0), max_rows=100)


async def answers(owner: "asyncpg.Connection[asyncpg.Record]", made: list[Statement]) -> list[tuple]:
    """What each of them says, undone."""
    found = []
    for one in made:
        transaction = owner.transaction()
        await transaction.start()
        row = await owner.fetchrow(one.sql, *([list(one.values)] if one.values else []))
        found.append(tuple(row.values())[:2])
        await transaction.rollback()
    return found


async def is_called(owner: "asyncpg.Connection[asyncpg.Record]", sql: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match=CALLED):
        await owner.fetch(sql)


@pytest.mark.pg16
async def test_what_fits_better_is_not_called(owner, catalog, alice) -> None:
    before = await answers(owner, statements(catalog))
    assert [rows for _body, rows in before[: len(READS) + 1]] == [1] * (len(READS) + 1), "each read finds the row"
    await owner.execute(FITTING)
    await is_called(owner, "SELECT json_agg(r.*) FROM (SELECT title FROM todos) r")
    await is_called(owner, "SELECT to_json(add(1))")
    await is_called(owner, "SELECT FROM notes WHERE slug = 'a'::text")
    await is_called(owner, "SELECT FROM todos WHERE tags @> '{a}'::text[]")
    assert await answers(owner, statements(catalog)) == before

    (made,) = await alice.has("eggs")
    path = "/api/v1/tables/todos"
    for asked in (
        f"{path}?select=id,t:title&tags=cd.{{a}}&mood=is.null",
        f"/api/v1/tables/public/todos/{made['id']}",
        f"{path}?count=exact",
    ):
        for _ in range(3):  # the third time its plan is there
            answer = await alice.client.get(asked)
            assert answer.status_code == 200, answer.text
    answer = await alice.client.post("/api/v1/rpc/add", json={"a": 1})
    assert (answer.status_code, answer.text) == (200, "2")


@pytest.mark.pg16
async def test_a_path_that_has_them_first_changes_nothing(owner, catalog) -> None:
    before = await answers(owner, statements(catalog))
    await owner.execute(COPIES)
    await owner.execute("SET search_path = public, pg_catalog")
    await is_called(owner, "SELECT count(*) FROM notes")
    await is_called(owner, "SELECT FROM notes WHERE slug LIKE 'a'")
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.fetch("SELECT slug::text FROM notes")
    assert await answers(owner, statements(catalog)) == before


async def test_a_domain_over_a_domain_is_what_the_first_of_them_is_of(app, owner, alice) -> None:
    await owner.execute(
        "CREATE EXTENSION citext; CREATE DOMAIN whole AS int CHECK (VALUE >= 0);"
        "CREATE DOMAIN digit AS whole CHECK (VALUE < 10); CREATE DOMAIN doc AS jsonb; CREATE DOMAIN page AS doc;"
        "CREATE DOMAIN email AS citext; CREATE DOMAIN mine AS email;"
        "CREATE TABLE odd (id digit PRIMARY KEY, page page, mail mine);"
        "INSERT INTO odd VALUES (7, '{\"a\": 1}', 'Ada@x');"
        "SELECT rest.expose('odd'); CREATE POLICY open ON odd FOR SELECT TO authenticated USING (true)"
    )
    for asked in ("id=eq.7", "id=in.(7,8)", "page->>a=eq.1", "page=cs.{}", "mail=eq.ADA@x"):
        answer = await alice.client.get(f"/api/v1/tables/odd?{asked}")
        assert (answer.status_code, len(answer.json())) == (200, 1), (asked, answer.text)
    columns = (await catalog_of(app).current()).tables["public", "odd"].by_name
    assert [columns[name].built_in for name in ("id", "page", "mail")] == [True, True, False]


async def test_types_of_extensions_keep_their_own_operators(owner, alice) -> None:
    await owner.execute(
        "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE DOMAIN email AS citext; CREATE DOMAIN word AS text;"
        "CREATE TABLE people (id integer PRIMARY KEY, nick citext, mail email, nicks citext[], word word, more hstore);"
        "INSERT INTO people VALUES (1, 'Ada', 'Ada@Example.com', '{Ada}', 'Ada', 'a=>1');"
        "SELECT rest.expose('people'); CREATE POLICY open ON people FOR SELECT TO authenticated USING (true)"
    )
    for asked, found in {
        "nick=eq.ADA": 1, "nick=like.aD*": 1, "nick=in.(ADA,bob)": 1, "nick=fts.ada": 1, "mail=eq.ada@example.COM": 1,
        "nicks=cs.{ADA}": 1, "word=eq.ADA": 0, "word=eq.Ada": 1, "word=ilike.a*": 1, "word=in.(Ada)": 1,
        "more=cs.a=>1": 1, "more=cs.b=>1": 0,
    }.items():  # fmt: skip
        answer = await alice.client.get(f"/api/v1/tables/people?select=id&{asked}")
        assert (answer.status_code, len(answer.json())) == (200, found), (asked, answer.text)
