"""Every operator and the whole grammar, on real rows."""

import pytest

from .conftest import User

TODOS = "/api/v1/tables/todos"
pytestmark = pytest.mark.pg16

ROWS = [
    {
        "id": 1,
        "title": "buy milk",
        "priority": 1,
        "tags": ["home", "shop"],
        "data": {"n": 5, "where": {"city": "Bern"}, "list": [1, 2]},
        "during": "[2024-01-01 00:00+00,2024-01-05 00:00+00)",
        "span": "[1,5)",
        "mood": "ok",
    },
    {
        "id": 2,
        "title": "call, (Bob)",
        "priority": 2,
        "done": True,
        "tags": ["phone"],
        "data": {"n": 10, "where": {"city": "Zug"}},
        "span": "[5,9)",
        "mood": "happy",
    },
    {"id": 3, "title": 'say "hi"', "tags": [], "span": "[20,30)", "mood": None},
]

CASES = [
    ("id=eq.2", {2}),
    ("id=neq.2", {1, 3}),
    ("id=not.eq.2", {1, 3}),
    ("priority=gt.1", {2}),
    ("priority=gte.1", {1, 2}),
    ("priority=lt.2", {1}),
    ("priority=lte.2", {1, 2}),
    ("id=gt.1&id=lt.3", {2}),
    ("title=like.*milk", {1}),
    ("title=like.%25milk", {1}),
    ("title=ilike.BUY*", {1}),
    ("title=not.ilike.BUY*", {2, 3}),
    ("made_at=like.20*", {1, 2, 3}),
    ("id=in.(1,3)", {1, 3}),
    ("id=not.in.(1,3)", {2}),
    ("id=in.()", set()),
    ('title=in.("call, (Bob)","say \\"hi\\"")', {2, 3}),
    ("title=eq.call, (Bob)", {2}),
    ('title=eq.say "hi"', {3}),
    ("priority=is.null", {3}),
    ("priority=not.is.null", {1, 2}),
    ("priority=is.not_null", {1, 2}),
    ("done=is.true", {2}),
    ("done=is.FALSE", {1, 3}),
    ("done=not.is.unknown", {1, 2, 3}),
    ("tags=cs.{home}", {1}),
    ("tags=cd.{home,shop,phone}", {1, 2, 3}),
    ("tags=ov.{shop,phone}", {1, 2}),
    ("tags=eq.{phone}", {2}),
    ('data=cs.{"n":5}', {1}),
    ("data->>n=eq.5", {1}),
    ("data->n=gt.7", {2}),
    ("data->where->>city=like.B*", {1}),
    ("data->list->>0=eq.1", {1}),
    ("data->list->-1=eq.2", {1}),
    ('data->where=cs.{"city":"Zug"}', {2}),
    ("words=fts.milk", {1}),
    ("words=fts(english).buying", {1}),
    ("title=plfts(english).calls bob", {2}),
    ("title=phfts(english).buy milk", {1}),
    ("title=wfts(english).milk or bob", {1, 2}),
    ("words=not.fts(simple).milk", {2, 3}),
    ("data=plfts(simple).Bern", {1}),
    ("span=cs.[2,3)", {1}),
    ("span=cd.[0,10)", {1, 2}),
    ("span=ov.[4,6)", {1, 2}),
    ("span=adj.[9,20)", {2, 3}),
    ("span=sl.[9,10)", {1, 2}),
    ("span=sr.[0,4]", {2, 3}),
    ("span=nxr.[0,9)", {1, 2}),
    ("span=nxl.[5,6)", {2, 3}),
    ("during=ov.[2024-01-02,2024-01-03)", {1}),
    ("mood=gte.ok", {1, 2}),
    ("mood=in.(ok,happy)", {1, 2}),
    ("or=(id.eq.1,id.eq.3)", {1, 3}),
    ("and=(id.gt.1,done.is.false)", {3}),
    ("not.or=(id.eq.1,id.eq.3)", {2}),
    ("or=(id.eq.1,and(id.gt.1,not.or(done.is.true,priority.is.null)))", {1}),
    ('or=(id.not.in.(1,2),title.eq."call, (Bob)")', {2, 3}),
    ("or=(not.id.eq.1,id.eq.1)", {1, 2, 3}),
    ("or=(tags.cs.{home,shop},tags.cs.{phone})", {1, 2}),
    ("or=(data->>n.eq.5,data->n.gt.7)", {1, 2}),
    ("or=(id.eq.1,id.eq.2)&or=(id.eq.2,id.eq.3)", {2}),
    ("and=(id.eq.1,or(done.is.true,done.is.false))", {1}),
]


@pytest.fixture
async def three(alice: User) -> User:
    for row in ROWS:
        answer = await alice.client.post(TODOS, json=row)
        assert answer.status_code == 201, answer.text
    return alice


async def test_every_filter_finds_its_rows(three: User) -> None:
    found = {}
    for query, _ in CASES:
        answer = await three.client.get(f"{TODOS}?{query}&select=id")
        found[query] = {row["id"] for row in answer.json()} if answer.status_code == 200 else answer.text
    assert found == dict(CASES)


async def test_selects_rename_cast_and_look_into_json(three: User) -> None:
    answer = await three.client.get(
        f"{TODOS}?id=eq.1&select=id,name:title,number:priority::text,data->where->>city,first:data->list->0,data->n"
    )
    assert answer.json() == [{"id": 1, "name": "buy milk", "number": "1", "city": "Bern", "first": 1, "n": 5}]


async def test_order_limit_and_offset(three: User) -> None:
    async def ids(query: str) -> list[int]:
        return [row["id"] for row in (await three.client.get(f"{TODOS}?select=id&{query}")).json()]

    assert await ids("order=id.desc") == [3, 2, 1]
    assert await ids("order=id.desc&limit=1&offset=1") == [2]
    assert await ids("order=priority.desc") == [3, 2, 1]
    assert await ids("order=priority.desc.nullslast") == [2, 1, 3]
    assert await ids("order=priority.asc.nullsfirst,id") == [3, 1, 2]
    assert await ids("order=data->where->>city.desc.nullslast,id.asc") == [2, 1, 3]
    assert await ids("limit=0") == []


async def test_count_is_a_header_and_the_body_stays_an_array(three: User) -> None:
    answer = await three.client.get(f"{TODOS}?select=id&order=id&count=exact&limit=2&offset=1&id=gt.0")
    assert answer.json() == [{"id": 2}, {"id": 3}]
    assert answer.headers["content-range"] == "1-2/3"
    assert (await three.client.get(f"{TODOS}?id=eq.99&count=exact")).headers["content-range"] == "*/0"
    assert (await three.client.get(f"{TODOS}?id=eq.1")).headers["content-range"] == "0-0/*"


async def test_head_is_a_get_without_a_body(three: User) -> None:
    answer = await three.client.head(f"{TODOS}?count=exact")
    assert answer.content == b""
    assert answer.headers["content-range"] == "0-2/3"
    assert int(answer.headers["content-length"]) > 100


REFUSED = [
    ("nope=eq.1", "no column 'nope'; it has id, user_id"),
    ("id=5", "operator.value"),
    ("id=almost.5", "operator.value"),
    ("id=in.1,2", "in.(1,2,3)"),
    ("id=in.(1,,2)", "empty"),
    ("id=is.maybe", "not_null"),
    ("title=is.true", "boolean"),
    ("title->a=eq.1", "arrows look into json"),
    ("data->>a->b=eq.1", "it stands last"),
    ("data->=eq.1", "a key or a position"),
    ("done=fts.a", "tsvector, text or jsonb"),
    ("tags=in.(a,b)", "cs, cd and ov"),
    ("id=eq.abc", "invalid input syntax"),
    ("title=fts(klingon).a", "klingon"),
    ("words=fts.a b", "tsquery"),
    ("id=cs.5", "operator does not exist"),
    ("title=eq.%00", "NUL"),
    ("or=(tags.cs.{a%00b},id.eq.1)", "NUL"),
    ("title=eq.%ff", "UTF-8"),
    ("or=id.eq.1", "or=(a.eq.1"),
    ("or=()", "empty"),
    ("or=(id.eq.1", "or=(a.eq.1"),
    ("or=(id.eq.1))", "Brackets"),
    ("or=(id)", "column.operator.value"),
    ('or=(title.eq."a)', "not closed"),
    ("or=(" + "and(" * 20 + "id.eq.1" + ")" * 21, "16 deep"),
    ("select=", "empty"),
    ("select=id,*", "not both"),
    ("select=id,id", "twice"),
    ("select=id::regclass", "casts to one of"),
    ("select=notes(*)", "embedded"),
    ("order=id.upwards", "column.asc"),
    ("order=", "empty"),
    ("limit=-1", "limit is a number"),
    ("limit=1e3", "limit is a number"),
    ("limit=99999999999", "limit is a number"),
    ("limit=1&limit=2", "twice"),
    ("count=roughly", "exact"),
    ("on_conflict=id", "no meaning"),
    ("&".join("id=gt.0" for _ in range(101)), "100 parameters"),
    ("id=not.in.(" + ",".join("(" for _ in range(5)) + ")", "Brackets"),
]


async def test_what_cannot_be_understood_is_a_400_that_says_why(alice: User) -> None:
    for query, said in REFUSED:
        answer = await alice.client.get(f"{TODOS}?{query}")
        assert answer.status_code == 400, (query, answer.text)
        assert said in answer.json()["message"], query
        assert answer.json()["request_id"]
