"""Changes of tables over real sockets: who hears what."""

INSERT = "INSERT INTO public.notes (owner, text, public, secret) VALUES ($1::text::uuid, $2, $3, 'hidden') RETURNING id"


async def test_an_insert_reaches_its_owner_and_nobody_else(site, owner, ada, eve):
    async with (
        site.client(ada["access_token"]) as mine,
        site.client(eve["access_token"]) as hers,
        site.client() as anonymous,
        site.client(site.service_token) as service,
    ):
        for client in (mine, hers, anonymous, service):
            await client.subscribe("notes")
        number = await owner.fetchval(INSERT, ada["user"]["id"], "first", False)
        change = await mine.change()
        assert (change["type"], change["schema"], change["table"]) == ("INSERT", "public", "notes")
        assert change["record"] == {"id": number, "owner": ada["user"]["id"], "text": "first", "public": False}
        assert change["old_record"] is None
        assert (await service.change())["record"]["secret"] == "hidden"
        await hers.nothing()
        await anonymous.nothing()
