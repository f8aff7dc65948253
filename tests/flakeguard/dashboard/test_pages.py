"""Pages without a browser: who sees what, what forms do, and what exports hold."""

import re
from html import unescape
from urllib.parse import quote

import pytest

CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


async def token_on(client, path: str) -> str:
    found = CSRF.search((await client.get(path)).text)
    assert found is not None
    return found[1]


@pytest.fixture
def paths(seeded) -> list[str]:
    base = f"/projects/{seeded.project_id}"
    test = seeded.tests["never_oversells[8 workers]"]
    return [base, f"{base}/runs", f"{base}/runs/{seeded.pull_request_run}", f"{base}/flakes/{test}", f"{base}/uploads",
            f"{base}/quarantine", f"{base}/setup", f"{base}/settings", f"{base}/settings/keys", f"{base}/tests.csv",
            f"{base}/tests.json", f"{base}/events"]  # fmt: skip


async def test_strangers_find_nothing_and_visitors_sign_in(client, people, paths) -> None:
    client.headers["accept"] = "text/html"
    for path in paths:
        answer = await client.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/signin?next=")
    client.cookies.update(people["mallory"].cookies)
    for path in [*paths, "/orgs/ada-inc", "/orgs/ada-inc/members", "/orgs/ada-inc/audit", "/orgs/ada-inc/settings"]:
        assert (await client.get(path)).status_code == 404, path


async def test_runs_and_tests_of_other_projects_are_not_shown(ada, resources, people, seeded) -> None:
    from flakeguard.projects import projects

    other = await projects.create(resources.database, people["ada"].user, "ada-inc", name="Other", slug="other")
    test = seeded.tests["signs_in"]
    assert (await ada.get(f"/projects/{other.id}/runs/{seeded.pull_request_run}")).status_code == 404
    assert (await ada.get(f"/projects/{other.id}/flakes/{test}")).status_code == 404


async def test_htmx_gets_the_part_that_the_page_is_made_of(ada, seeded) -> None:
    path = f"/projects/{seeded.project_id}?verdict=broken"
    whole = (await ada.get(path)).text
    part = (await ada.get(path, headers={"HX-Request": "true", "HX-Target": "live"})).text
    assert "<html" in whole
    assert part.strip().startswith('<div id="live"')
    times = re.compile(r"just now|\d+ min ago")
    assert times.sub("", part.strip()) in times.sub("", whole)
    assert "weight_<wbr>limits" in part


async def test_an_export_that_is_not_whole_says_so(ada, seeded, monkeypatch) -> None:
    base = f"/projects/{seeded.project_id}"
    assert "The first" not in (await ada.get(f"{base}?verdict=any")).text
    monkeypatch.setattr("flakeguard.dashboard.routes.tests.EXPORT_LIMIT", 3)
    monkeypatch.setattr("flakeguard.dashboard.service.EXPORT_LIMIT", 3)
    told = (await ada.get(f"{base}/tests.json?verdict=any")).json()
    assert (len(told["tests"]), told["total"]) == (3, 41)
    assert "The first 3 of 41" in (await ada.get(f"{base}?verdict=any")).text


async def test_export_has_what_the_table_has(ada, seeded) -> None:
    base = f"/projects/{seeded.project_id}"
    shown = (await ada.get(f"{base}/tests.json?verdict=broken")).json()["tests"]
    assert {row["name"] for row in shown} >= {"test_weight_limits"}
    assert {row["verdict"] for row in shown} == {"broken"}
    answer = await ada.get(f"{base}/tests.csv?q=shipping&verdict=any&sort=name")
    assert answer.headers["content-type"].startswith("text/csv")
    names = [line.split(",")[4] for line in answer.text.splitlines()[1:]]
    assert names == sorted(names)
    assert len(names) == 5


@pytest.mark.parametrize("sort", ["score", "rate", "failures", "failed", "duration", "verdict", "name"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_every_order_works(ada, project, sort: str, direction: str) -> None:
    assert (await ada.get(f"/projects/{project.id}?verdict=any&sort={sort}&dir={direction}")).status_code == 200


async def test_days_and_branch_ask_when_and_where_it_failed(ada, seeded) -> None:
    base = f"/projects/{seeded.project_id}/tests.json?verdict=any"
    today = (await ada.get(f"{base}&days=1")).json()["tests"]
    assert {row["name"] for row in today} >= {"test_weight_limits", "test_never_oversells[8 workers]"}
    branch = (await ada.get(f"{base}&branch=feature/gift-cards")).json()["tests"]
    assert "test_totals_in_three_currencies" in {row["name"] for row in branch}
    assert (await ada.get(f"{base}&branch=nowhere")).json()["tests"] == []


async def test_forms_need_the_token(ada, project) -> None:
    refused = await ada.post(f"/projects/{project.id}/settings/keys", data={"name": "CI"})
    assert refused.status_code == 403


async def test_a_key_is_shown_once_rotated_and_revoked(ada, project) -> None:
    path = f"/projects/{project.id}/settings/keys"
    csrf = await token_on(ada, path)
    made = await ada.post(path, data={"name": "CI", "csrf_token": csrf})
    secret = re.search(r'id="api-key"[^>]*>(fg_[^<]+)<', made.text)
    assert secret is not None
    listed = (await ada.get(path)).text
    assert secret[1] not in listed
    key = re.search(r'id="key-(\d+)"', listed)
    assert key is not None
    rotated = await ada.post(f"{path}/{key[1]}/rotate", data={"grace_hours": "0", "csrf_token": csrf})
    assert "Your new key" in rotated.text
    newest = re.findall(r"/keys/(\d+)/revoke", rotated.text)
    revoked = await ada.post(f"{path}/{newest[0]}/revoke", data={"csrf_token": csrf})
    assert revoked.headers["location"].endswith("notice=key-revoked")


async def test_numbers_that_nobody_can_store_are_refused(ada, project) -> None:
    for digits in (20, 5000):
        number = "9" * digits
        for path in (f"/projects/{number}", f"/projects/{project.id}/runs/{number}", f"/projects/{number}/settings"):
            assert (await ada.get(path)).status_code == 404, path
        form = {"name": "CI", "csrf_token": await token_on(ada, "/account")}
        path = f"/projects/{project.id}/settings/keys"
        answer = await ada.post(path, data=form | {"expires_in_days": number})
        assert answer.status_code in (400, 422), digits
        assert (await ada.post(path, data=form | {"expires_in_days": "soon"})).status_code == 422
        assert (await ada.post(path, data=form | {"expires_in_days": ""})).status_code == 200


async def test_names_that_are_taken_are_told_beside_the_form(ada, project) -> None:
    path = "/orgs/ada-inc/projects/new"
    csrf = await token_on(ada, path)
    answer = await ada.post(path, data={"name": "Shop", "project_slug": "shop", "csrf_token": csrf})
    assert answer.status_code == 409
    assert 'value="shop"' in answer.text


async def test_what_a_form_does_not_take_stays_to_be_mended(ada, project) -> None:
    for path, fields in {
        f"/projects/{project.id}/settings": {"name": "A new name", "slug": "No Slug", "default_branch": "trunk"},
        "/orgs/ada-inc/settings": {"name": "A new name", "slug": "No Slug"},
    }.items():
        answer = await ada.post(path, data=fields | {"csrf_token": await token_on(ada, path)})
        assert answer.status_code == 400
        for typed in fields.values():
            assert f'value="{typed}"' in answer.text, path
    csrf = await token_on(ada, "/account")
    kept = await ada.post("/orgs/ada-inc/delete", data={"confirm": "another", "csrf_token": csrf})
    assert kept.status_code == 400
    assert 'value="ada-inc"' in kept.text


async def test_project_is_renamed_and_deleted_by_its_name(ada, project) -> None:
    path = f"/projects/{project.id}/settings"
    csrf = await token_on(ada, path)
    fields = {"name": "Store", "slug": "store", "default_branch": "trunk", "csrf_token": csrf}
    assert (await ada.post(path, data=fields)).status_code == 303
    assert "Store" in (await ada.get(path)).text
    wrong = await ada.post(f"{path}/delete", data={"confirm": "shop", "csrf_token": csrf})
    assert wrong.status_code == 400
    gone = await ada.post(f"{path}/delete", data={"confirm": "store", "csrf_token": csrf})
    assert gone.headers["location"] == "/?notice=project-deleted"
    assert (await ada.get(path)).status_code == 404


async def test_members_are_invited_join_and_leave(client, ada, people) -> None:
    path = "/orgs/ada-inc/members"
    csrf = await token_on(ada, path)
    made = await ada.post(f"{path}/invite", data={"email": "mallory@example.com", "role": "VIEWER", "csrf_token": csrf})
    link = re.search(r"/invites/accept\?token=([^<\"]+)", made.text)
    assert link is not None
    client.cookies.update(people["mallory"].cookies)
    page = await client.get(f"/invites/accept?token={link[1]}")
    csrf = CSRF.search(page.text)[1]
    joined = await client.post("/invites/accept", data={"token": link[1], "csrf_token": csrf})
    assert joined.headers["location"].startswith("/orgs/ada-inc")
    seen = (await client.get(path)).text
    assert "Invite somebody" not in seen
    left = await client.post(f"{path}/{people['mallory'].user.id}/remove", data={"csrf_token": csrf})
    assert left.status_code == 303
    assert (await client.get(path)).status_code == 404


async def test_who_has_an_account_signs_in_and_is_back_at_the_invite(client, ada, people) -> None:
    path = "/orgs/ada-inc/members"
    form = {"email": "mallory@example.com", "role": "VIEWER", "csrf_token": await token_on(ada, path)}
    link = re.search(r"/invites/accept\?token=[^<\"]+", (await ada.post(f"{path}/invite", data=form)).text)
    client.cookies.clear()
    sign_up = await client.get((await client.get(link[0])).headers["location"])
    assert "Join ada inc" in sign_up.text
    way = unescape(re.search(r'href="(/signin\?next=[^"]+)"', sign_up.text)[1])
    target = re.search(r'name="next" value="([^"]+)"', (await client.get(way)).text)
    fields = {"email": "mallory@example.com", "password": "correct horse battery", "next": unescape(target[1])}
    assert (await client.post("/signin", data=fields)).headers["location"] == link[0]
    client.cookies.clear()
    assert "is no longer valid" in (await client.get("/signup?invite=used")).text


async def test_a_page_that_finds_its_session_ended_is_come_back_to(client, people, seeded) -> None:
    path = f"/projects/{seeded.project_id}?verdict=flaky&q=cart"
    answer = await client.get(path, headers={"HX-Request": "true", "HX-Target": "live"})
    assert answer.headers["hx-redirect"] == f"/signin?next={quote(path, safe='')}"


async def test_sign_up_asks_for_as_long_a_password_as_the_server(client, app) -> None:
    app.state.settings = app.state.settings.model_copy(update={"password_min_length": 20})
    page = (await client.get("/signup")).text
    assert "At least 20 characters" in page
    assert 'minlength="20"' in page


async def test_account_password_sessions_and_end(ada, people) -> None:
    csrf = await token_on(ada, "/account")
    wrong = await ada.post("/account/password", data={"proof": "no", "new": "another long one", "csrf_token": csrf})
    assert wrong.status_code == 403
    assert "That is not your current password" in wrong.text
    ended = await ada.post("/account/sessions/end", data={"csrf_token": csrf})
    assert ended.status_code == 303
    kept = await ada.post("/account/delete", data={"proof": "correct horse battery", "csrf_token": csrf})
    assert kept.status_code == 409
    assert "ada inc" in kept.text
    out = await ada.post("/signout", data={"csrf_token": csrf})
    assert out.headers["location"].startswith("/signin")


async def test_sign_in_leads_only_to_this_site(client, people) -> None:
    for target in ("//evil.example", "https://evil.example", "/\\evil.example"):
        answer = await client.post(
            "/signin", data={"email": "ada@example.com", "password": "correct horse battery", "next": target}
        )
        assert answer.headers["location"] == "/"
        client.cookies.clear()


async def test_the_page_of_an_outage_looks_again_by_itself(ada, project, monkeypatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionError

    path = f"/projects/{project.id}/settings"
    csrf = await token_on(ada, path)
    monkeypatch.setattr("flakeguard.dashboard.routes.project_settings.project_shell", away)
    monkeypatch.setattr("flakeguard.projects.projects.update", away)
    looked = await ada.get(path)
    assert looked.status_code == 503
    assert f'data-retry-after="{looked.headers["retry-after"]}"' in looked.text
    fields = {"name": "Store", "slug": "store", "default_branch": "main", "csrf_token": csrf}
    sent = await ada.post(path, data=fields)
    assert sent.status_code == 503
    assert "data-retry-after" not in sent.text


async def test_a_server_without_an_app_says_so(ada) -> None:
    for path in ("/github/setup?installation_id=1", "/orgs/ada-inc/github"):
        answer = await ada.get(path)
        assert answer.status_code == 200, path
        assert "This server has no GitHub App yet" in answer.text


async def test_texts_from_reports_are_escaped(ada, resources, seeded) -> None:
    async with resources.database.transaction() as connection:
        await connection.execute("UPDATE failures SET message = '<script>alert(1)</script>'")
        await connection.execute("UPDATE test_cases SET name = '<img src=x onerror=alert(1)>'")
    base = f"/projects/{seeded.project_id}"
    for path in (base, f"{base}/runs/{seeded.pull_request_run}", f"{base}/flakes/{seeded.tests['weight_limits']}"):
        text = (await ada.get(path)).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text


async def test_who_pastes_the_snippet_is_told_where_its_package_comes_from(ada, project) -> None:
    page = (await ada.get(f"/projects/{project.id}/setup")).text
    assert "pipx run --spec flakeguard-suite" in page
    assert "is not on PyPI" in page


async def test_a_run_page_says_how_many_attempts_it_links_to(ada, seeded) -> None:
    page = (await ada.get(f"/projects/{seeded.project_id}/runs/{seeded.pull_request_run}")).text
    assert "5 of 12 shown" in page
