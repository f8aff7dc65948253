"""Organisations, members, invites and the audit trail."""

import asyncio

import pytest

from flakeguard.projects import invites, organizations, projects

from .serving import PASSWORD, client_for, data, refusal


async def test_who_makes_an_organisation_owns_it(person):
    ada = await person("ada")
    made = data(await ada.post("/orgs", {"name": "Größe & Co"}), 201)
    assert (made["slug"], made["role"]) == ("grosse-co", "OWNER")
    assert data(await ada.get("/orgs")) == [made]
    assert data(await ada.get("/orgs/grosse-co")) == data(await ada.get(f"/orgs/{made['id']}")) == made
    again = data(await ada.post("/orgs", {"name": "Größe & Co"}), 201)
    assert again["slug"] == "grosse-co-2"
    assert refusal(await ada.post("/orgs", {"name": "x", "slug": "grosse-co"})) == (409, "slug_taken")
    for slug in ("ab", "Ab-c", "-abc", "abc-", "a_b", "a" * 65, "12345"):
        assert refusal(await ada.post("/orgs", {"name": "x", "slug": slug})) == (400, "invalid_slug"), slug
    for name in ("", "   ", "x" * 201, "a\nb", "a\0b"):
        assert refusal(await ada.post("/orgs", {"name": name})) == (400, "invalid_name"), name
    for name in ("12", "!?", "日本"):
        assert (await ada.post("/orgs", {"name": name})).status_code == 201, name


async def test_renaming(tenant):
    acme = await tenant("acme")
    await tenant("taken")
    changed = data(await acme.admin.ask("PATCH", "/orgs/acme", json={"name": " Acme Inc ", "slug": "acme-inc"}))
    assert (changed["name"], changed["slug"]) == ("Acme Inc", "acme-inc")
    assert refusal(await acme.admin.get("/orgs/acme"))[0] == 404
    answer = await acme.admin.ask("PATCH", "/orgs/acme-inc", json={"slug": "taken"})
    assert refusal(answer) == (409, "slug_taken")


async def test_references_that_cannot_be(person):
    ada = await person("ada")
    for reference in ("0", "9" * 30, "nope", "a%00b", "²"):
        assert refusal(await ada.get(f"/orgs/{reference}")) == (404, "not_found"), reference
    for reference in (0, -1, 10**30):
        assert refusal(await ada.get(f"/projects/{reference}"))[0] == 404, reference
    assert refusal(await ada.get("/projects/x")) == (422, "validation_failed")


async def test_members_are_listed_owners_first(tenant):
    acme = await tenant("acme")
    listed = data(await acme.viewer.get("/orgs/acme/members"))
    assert [member["role"] for member in listed] == ["OWNER", "ADMIN", "MEMBER", "VIEWER"]
    assert listed[0]["email"] == "owner-of-acme@example.com"


async def test_who_may_give_which_role(tenant):
    acme = await tenant("acme")

    async def give(giver, taker, role):
        return await giver.ask("PUT", f"/orgs/acme/members/{taker.user.id}", json={"role": role})

    for giver, taker, role, status in (
        (acme.admin, acme.member, "VIEWER", 200),
        (acme.admin, acme.member, "ADMIN", 403),
        (acme.admin, acme.admin, "OWNER", 403),
        (acme.admin, acme.admin, "MEMBER", 403),
        (acme.admin, acme.owner, "VIEWER", 403),
        (acme.owner, acme.owner, "ADMIN", 409),
        (acme.owner, acme.member, "boss", 400),
        (acme.owner, acme.admin, "owner", 200),
        (acme.owner, acme.owner, "MEMBER", 200),
        (acme.owner, acme.member, "VIEWER", 403),
    ):
        answer = await give(giver, taker, role)
        assert answer.status_code == status, f"{giver.user.email} {taker.user.email} {role}: {answer.text}"
    assert refusal(await give(acme.admin, acme.admin, "MEMBER")) == (409, "last_owner")


async def test_removing_and_leaving(tenant):
    acme = await tenant("acme")

    async def remove(remover, who):
        return await remover.ask("DELETE", f"/orgs/acme/members/{who.user.id}")

    assert refusal(await remove(acme.owner, acme.owner)) == (409, "last_owner")
    assert refusal(await remove(acme.admin, acme.owner)) == (403, "permission_denied")
    assert refusal(await remove(acme.viewer, acme.member)) == (403, "permission_denied")
    assert data(await remove(acme.viewer, acme.viewer))["role"] == "VIEWER"  # leaving is anybody's right
    assert refusal(await acme.viewer.get("/orgs/acme")) == (404, "not_found")
    assert data(await remove(acme.admin, acme.member))["role"] == "MEMBER"
    assert data(await remove(acme.owner, acme.admin))["role"] == "ADMIN"
    assert refusal(await remove(acme.owner, acme.admin)) == (404, "not_found")


async def test_two_owners_who_remove_each_other_at_once_leave_one(tenant, owner):
    acme = await tenant("acme")
    await acme.owner.ask("PUT", f"/orgs/acme/members/{acme.admin.user.id}", json={"role": "OWNER"})
    answers = await asyncio.gather(
        acme.owner.ask("DELETE", f"/orgs/acme/members/{acme.admin.user.id}"),
        acme.admin.ask("DELETE", f"/orgs/acme/members/{acme.owner.user.id}"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 404]
    assert await owner.fetchval("SELECT count(*) FROM memberships WHERE role = 'OWNER'") == 1


async def test_an_invite_is_accepted_once_by_its_address(tenant, person, owner):
    acme, guest, other = await tenant("acme"), await person("Guest"), await person("other")
    made = data(await acme.admin.post("/orgs/acme/invites", {"email": " guest@EXAMPLE.com", "role": "viewer"}), 201)
    assert (made["email"], made["role"]) == ("guest@example.com", "VIEWER")
    row = await owner.fetchrow("SELECT * FROM invites")
    assert made["token"] not in str(dict(row))
    assert (row["expires_at"] - row["created_at"]).days == 7
    listed = data(await acme.admin.get("/orgs/acme/invites"))
    assert [invite["id"] for invite in listed] == [made["id"]]
    assert "token" not in listed[0]

    accept = {"token": made["token"]}
    assert refusal(await other.post("/orgs/invites/accept", accept)) == (403, "invite_email_mismatch")
    assert refusal(await guest.post("/orgs/invites/accept", {"token": "fgi_wrong"})) == (404, "invalid_invite")
    joined = data(await guest.post("/orgs/invites/accept", accept))
    assert (joined["slug"], joined["role"]) == ("acme", "VIEWER")
    assert refusal(await guest.post("/orgs/invites/accept", accept)) == (404, "invalid_invite")
    assert data(await acme.admin.get("/orgs/acme/invites")) == []
    invited = await acme.admin.post("/orgs/acme/invites", {"email": "GUEST@example.com"})
    assert refusal(invited) == (409, "already_member")


async def test_an_invite_accepted_twice_at_once_counts_once(tenant, person):
    acme, guest = await tenant("acme"), await person("guest")
    made = data(await acme.owner.post("/orgs/acme/invites", {"email": "guest@example.com"}), 201)
    answers = await asyncio.gather(*(guest.post("/orgs/invites/accept", {"token": made["token"]}) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404]


async def test_who_may_be_invited_as_what(tenant):
    acme = await tenant("acme")
    for inviter, role, expected in (
        (acme.owner, "OWNER", (400, "owner_not_invitable")),
        (acme.admin, "OWNER", (400, "owner_not_invitable")),
        (acme.admin, "ADMIN", (403, "permission_denied")),
        (acme.owner, "KING", (400, "invalid_role")),
    ):
        answer = await inviter.post("/orgs/acme/invites", {"email": "x@example.com", "role": role})
        assert refusal(answer) == expected
    assert refusal(await acme.owner.post("/orgs/acme/invites", {"email": "nobody"})) == (400, "invalid_email")


async def test_a_new_invite_revokes_the_previous_one_and_expiry_ends_both(tenant, person, resources, owner):
    acme, guest = await tenant("acme"), await person("guest")
    first = data(await acme.owner.post("/orgs/acme/invites", {"email": "guest@example.com"}), 201)
    second = data(await acme.owner.post("/orgs/acme/invites", {"email": "Guest@example.com"}), 201)
    assert len(data(await acme.owner.get("/orgs/acme/invites"))) == 1
    assert await invites.peek(resources.database, first["token"]) is None
    shown = await invites.peek(resources.database, second["token"])
    assert shown is not None
    assert (shown.organization_name, shown.role) == ("acme", "MEMBER")
    refused = await guest.post("/orgs/invites/accept", {"token": first["token"]})
    assert refusal(refused) == (404, "invalid_invite")
    await owner.execute("UPDATE invites SET expires_at = now() - interval '1 second'")
    refused = await guest.post("/orgs/invites/accept", {"token": second["token"]})
    assert refusal(refused) == (400, "invite_expired")
    assert await invites.peek(resources.database, second["token"]) is None
    assert data(await acme.owner.get("/orgs/acme/invites")) == []


async def test_revoking_an_invite(tenant, person):
    acme, guest = await tenant("acme"), await person("guest")
    made = data(await acme.owner.post("/orgs/acme/invites", {"email": "guest@example.com", "role": "ADMIN"}), 201)
    path = f"/orgs/acme/invites/{made['id']}"
    assert refusal(await acme.admin.ask("DELETE", path)) == (403, "permission_denied")
    assert data(await acme.owner.ask("DELETE", path))["id"] == made["id"]
    assert refusal(await acme.owner.ask("DELETE", path)) == (404, "not_found")
    refused = await guest.post("/orgs/invites/accept", {"token": made["token"]})
    assert refusal(refused) == (404, "invalid_invite")


async def test_who_leaves_leaves_no_open_doors(tenant, person):
    """An admin who knows they will be removed could invite another address of theirs."""
    acme, second = await tenant("acme"), await person("second-self")
    made = data(await acme.admin.post("/orgs/acme/invites", {"email": "second-self@example.com"}), 201)
    await acme.owner.ask("DELETE", f"/orgs/acme/members/{acme.admin.user.id}")
    refused = await second.post("/orgs/invites/accept", {"token": made["token"]})
    assert refusal(refused) == (404, "invalid_invite")


async def test_an_invite_lets_its_address_sign_up(app, tenant, settings):
    acme = await tenant("acme")
    made = data(await acme.owner.post("/orgs/acme/invites", {"email": "guest@example.com"}), 201)
    app.state.settings = settings.model_copy(update={"signup_policy": "invited"})

    async def sign_up(email: str, token: str | None) -> int:
        body = {"email": email, "password": PASSWORD, "invite_token": token}
        async with client_for(app) as client:
            return (await client.post("/api/v1/auth/signup", json=body)).status_code

    assert await sign_up("guest@example.com", None) == 403
    assert await sign_up("other@example.com", made["token"]) == 403
    assert await sign_up("guest@example.com", "fgi_wrong") == 403
    assert await sign_up("guest@example.com", made["token"]) == 201


async def test_the_audit_trail_tells_all_of_it(tenant, person):
    acme, guest = await tenant("acme"), await person("guest")
    key = data(await acme.owner.post(f"/projects/{acme.project.id}/api-keys", {"name": "CI"}), 201)
    keys = f"/projects/{acme.project.id}/api-keys"
    new = data(await acme.owner.post(f"{keys}/{key['id']}/rotate"), 201)
    await acme.admin.ask("DELETE", f"{keys}/{new['id']}")
    made = data(await acme.owner.post("/orgs/acme/invites", {"email": "x@example.com"}), 201)
    await acme.owner.ask("DELETE", f"/orgs/acme/invites/{made['id']}")
    made = data(await acme.owner.post("/orgs/acme/invites", {"email": "guest@example.com"}), 201)
    await guest.post("/orgs/invites/accept", {"token": made["token"]})
    await acme.owner.ask("PUT", f"/orgs/acme/members/{guest.user.id}", json={"role": "VIEWER"})
    await acme.owner.ask("DELETE", f"/orgs/acme/members/{guest.user.id}")

    page = data(await acme.viewer.get("/orgs/acme/audit"))
    assert [event["action"] for event in reversed(page["events"])] == [
        "org.created",
        "project.created",
        "apikey.created",
        "apikey.rotated",
        "apikey.revoked",
        "org.invite_created",
        "org.invite_revoked",
        "org.invite_created",
        "org.invite_accepted",
        "org.member_role_updated",
        "org.member_removed",
    ]
    assert (page["total"], page["limit"], page["offset"]) == (11, 50, 0)
    assert made["token"] not in str(page)
    assert key["token"] not in str(page)
    some = data(await acme.viewer.get("/orgs/acme/audit?limit=2&offset=1"))
    assert some["events"] == page["events"][1:3]
    by_admin = data(await acme.viewer.get("/orgs/acme/audit?actor=ADMIN-of-acme@example.com"))
    assert [event["action"] for event in by_admin["events"]] == ["apikey.revoked"]
    by_id = data(await acme.viewer.get(f"/orgs/acme/audit?actor={guest.user.id}&action=org.invite_accepted"))
    assert by_id["total"] == 1
    for query in ("limit=0", "limit=201", "offset=-1", "offset=99999999999999"):
        assert refusal(await acme.viewer.get(f"/orgs/acme/audit?{query}")) == (400, "invalid_request"), query


async def test_deleting_needs_the_slug(tenant, owner):
    acme, other = await tenant("acme"), await tenant("other")
    for confirm in ("", "shop", "ACME"):
        answer = await acme.owner.ask("DELETE", "/orgs/acme", params={"confirm": confirm})
        assert refusal(answer) == (400, "confirmation_required")
    assert data(await acme.owner.ask("DELETE", "/orgs/acme", params={"confirm": "acme"}))["id"] == acme.id
    assert refusal(await acme.owner.get("/orgs/acme")) == (404, "not_found")
    assert [row["slug"] for row in await owner.fetch("SELECT slug FROM organizations")] == ["other"]
    assert await owner.fetchval("SELECT count(*) FROM projects") == 1
    assert await owner.fetchval("SELECT action FROM auth.audit_log_entries ORDER BY id DESC") == "org.deleted"
    assert data(await other.owner.get("/orgs/other"))


@pytest.fixture
def delete_account():
    async def delete(someone, **more):
        body = {"password": PASSWORD, **more}
        return await someone.ask("DELETE", "/auth/user", json=body)

    return delete


async def test_the_last_owner_of_others_cannot_go(tenant, delete_account, owner):
    acme = await tenant("acme")
    refused = await delete_account(acme.owner, delete_organizations=True)
    assert (refused.status_code, refused.json()["error"]) == (409, "last_owner")
    assert "acme" in refused.json()["message"]
    assert (await delete_account(acme.member)).status_code == 204
    await acme.owner.ask("PUT", f"/orgs/acme/members/{acme.admin.user.id}", json={"role": "OWNER"})
    assert (await delete_account(acme.owner)).status_code == 204
    left = await owner.fetch("SELECT role FROM memberships ORDER BY role")
    assert [row["role"] for row in left] == ["OWNER", "VIEWER"]


async def test_organisations_of_nobody_else_go_when_that_is_confirmed(person, resources, delete_account, owner):
    ada = await person("ada")
    await organizations.create(resources.database, ada.user, name="Solo")
    await projects.create(resources.database, ada.user, "solo", name="Shop")
    refused = await delete_account(ada)
    assert (refused.status_code, refused.json()["error"]) == (409, "organizations_remain")
    assert "Solo" in refused.json()["message"]
    assert (await delete_account(ada, delete_organizations=True)).status_code == 204
    for table in ("organizations", "projects", "memberships", "auth.users"):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0
