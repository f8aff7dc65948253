"""Policies of the operator's own. They stay in the module's database: no test here counts on the default ones."""

from .conftest import STORAGE

OWN_FOLDER = """
CREATE POLICY own_folder ON storage.objects FOR INSERT TO authenticated
WITH CHECK (bucket_id = 'avatars' AND owner_id = auth.uid() AND split_part(name, '/', 1) = auth.uid()::text);
"""


async def test_a_folder_for_each_user(alice, operator, owner):
    """As the documents have it: a bucket without `user_uploads`, and a policy that lets some in."""
    await owner.execute(OWN_FOLDER)
    await operator.post(f"{STORAGE}/buckets", json={"id": "avatars"})
    user = await owner.fetchval("SELECT id FROM auth.users")
    assert (await alice.put(f"{STORAGE}/avatars/{user}/me.png", content=b"1")).status_code == 201
    for name in ("me.png", f"x{user}/me.png", f"00000000-0000-0000-0000-000000000000/{user}"):
        assert (await alice.put(f"{STORAGE}/avatars/{name}", content=b"1")).status_code == 403


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
