"""Tables that are altered, replaced or dropped while somebody listens to them."""

INSERT = "INSERT INTO public.notes (owner, text) VALUES ($1, $2)"
BY_A_NEW_COLUMN = """
    BEGIN;
    ALTER TABLE public.notes ADD deleted_at timestamptz;
    DROP POLICY open ON public.notes;
    CREATE POLICY open ON public.notes FOR SELECT TO authenticated USING (deleted_at IS NULL);
    COMMIT;
"""
BY_ANOTHER_NAME = """
    DROP POLICY own ON public.notes;
    CREATE POLICY own ON public.notes FOR SELECT TO authenticated USING (owner IS NULL OR owner = auth.uid());
"""


async def test_a_new_policy_is_never_asked_about_less_than_it_reads(site, owner, ada, eve):
    """Eve may see the row neither by the policies that were described nor by those of now."""
    async with site.client(eve["access_token"]) as client:
        await client.subscribe("notes")
        await owner.execute(INSERT, eve["user"]["id"], "mine")
        assert (await client.change())["record"]["text"] == "mine"
        await owner.execute(BY_A_NEW_COLUMN)
        await owner.execute(
            "INSERT INTO public.notes (owner, text, deleted_at) VALUES ($1, 'deleted', now())", ada["user"]["id"]
        )
        await owner.execute(INSERT, ada["user"]["id"], "open")
        assert (await client.change())["record"]["text"] == "open"
        await client.nothing()


async def test_a_column_of_a_policy_has_another_name_from_now_on(site, owner, ada, eve):
    await owner.execute(BY_ANOTHER_NAME)
    async with site.client(ada["access_token"]) as one, site.client(eve["access_token"]) as other:
        for client in (one, other):
            await client.subscribe("notes")
        await owner.execute("INSERT INTO public.notes (text) VALUES ('everybody''s')")
        for client in (one, other):
            assert (await client.change())["record"]["text"] == "everybody's"
        await owner.execute("ALTER TABLE public.notes RENAME owner TO possessor")
        await owner.execute("INSERT INTO public.notes (possessor, text) VALUES ($1, 'hers')", ada["user"]["id"])
        assert (await one.change())["record"]["text"] == "hers"
        await other.nothing()


async def test_rows_from_before_are_not_judged_by_what_they_lack(site, owner, ada, eve):
    """The reader was held up: the rows were recorded, then the table altered, and then they are read."""
    await owner.execute(BY_ANOTHER_NAME)
    async with site.client(eve["access_token"]) as client:
        await client.subscribe("notes")
        async with site.realtime.reader._reading:
            await owner.execute(INSERT, ada["user"]["id"], "hers")
            await owner.execute("ALTER TABLE public.notes RENAME owner TO possessor")
        assert (await client.take("bulk", "postgres_changes"))["payload"]["reason"] == "gap"
        await owner.execute("INSERT INTO public.notes (possessor, text) VALUES ($1, 'mine')", eve["user"]["id"])
        assert (await client.change())["record"]["text"] == "mine"
        await client.nothing()


async def test_a_table_of_the_same_name_takes_the_place_of_one_that_was_dropped(site, owner, notes, ada, eve):
    definition = """
        DROP TABLE public.notes;
        CREATE TABLE public.notes (key text, place integer, owner uuid, text text, PRIMARY KEY (key, place));
        ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON public.notes FOR SELECT TO authenticated USING (owner = auth.uid());
        GRANT SELECT ON public.notes TO authenticated;
        SELECT realtime.set_events('public.notes', '{INSERT}');
    """
    async with site.client(eve["access_token"]) as client:
        await client.subscribe("notes")
        await owner.execute(INSERT, ada["user"]["id"], "hers")
        await owner.execute(INSERT, eve["user"]["id"], "mine")
        assert (await client.change())["record"]["text"] == "mine"
        site.realtime.cache.clear()
        await owner.execute(definition)
        await owner.execute("INSERT INTO public.notes VALUES ('a', 1, $1, 'hers')", ada["user"]["id"])
        await owner.execute("INSERT INTO public.notes VALUES ('a', 2, $1, 'mine')", eve["user"]["id"])
        told = await client.change()
        assert told["record"] == {"key": "a", "place": 2, "owner": eve["user"]["id"], "text": "mine"}
        await owner.execute("DROP TABLE public.notes")
        await client.nothing()
