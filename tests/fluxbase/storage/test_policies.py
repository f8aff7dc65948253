"""Policies of the operator's own; they stay, so this module has its database for this one test."""


async def test_policies_of_ones_own_decide(alice, bob, private, owner):
    secret = f"{private}/diary"
    assert (await alice.post(secret, content=b"what alice wrote")).status_code == 201
    await owner.execute("CREATE POLICY shared ON storage.objects FOR SELECT TO authenticated USING (name = 'diary')")
    assert (await bob.get(secret)).content == b"what alice wrote"
    assert (await bob.delete(secret)).status_code == 403
    await owner.execute("CREATE POLICY editors ON storage.objects FOR UPDATE TO authenticated USING (name = 'diary')")
    assert (await bob.put(secret, content=b"together")).status_code == 200
    assert (await alice.get(secret)).content == b"together"
    await owner.execute(
        "DROP POLICY user_uploads ON storage.objects; DROP POLICY changed_by_owners ON storage.objects;"
        "CREATE POLICY small ON storage.objects TO authenticated USING (true) WITH CHECK (size < 4)"
    )
    assert (await bob.post(f"{private}/s", content=b"123")).status_code == 201
    assert (await bob.post(f"{private}/l", content=b"12345")).status_code == 403
