"""The quarantine's page and the test's buttons: what they show, what they do, and for whom."""

from .test_pages import token_on


async def decided(resources, test: int) -> str:
    async with resources.database.transaction() as connection:
        return await connection.fetchval(
            "SELECT state FROM quarantine_decisions WHERE test_case_id = $1 ORDER BY id DESC LIMIT 1", test
        )


async def test_a_flake_goes_in_and_out_by_buttons(ada, seeded, resources) -> None:
    base = f"/projects/{seeded.project_id}"
    test = seeded.tests["never_oversells[8 workers]"]
    assert "Nothing is in quarantine" in (await ada.get(f"{base}/quarantine")).text
    page = (await ada.get(f"{base}/flakes/{test}")).text
    assert "It is not in quarantine" in page
    assert f'id="quarantine-{test}"' in page
    csrf = await token_on(ada, f"{base}/flakes/{test}")
    form = {"csrf_token": csrf, "reason": 'SHOP-12 <b> https://tracker.example/12?a="b'}
    made = await ada.post(f"{base}/flakes/{test}/quarantine", data=form)
    assert made.headers["location"] == f"{base}/flakes/{test}?notice=quarantined"
    for path in (f"{base}/flakes/{test}", f"{base}/quarantine"):
        page = (await ada.get(path)).text
        assert "SHOP-12 &lt;b&gt;" in page, path
        assert '<a href="https://tracker.example/12?a=' in page
        assert "by ada@example.com" in page
        assert "In quarantine" in page
    part = await ada.get(f"{base}/quarantine", headers={"HX-Request": "true", "HX-Target": "live"})
    assert part.text.strip().startswith('<div id="live"')
    run = await newest_failing_run(resources, test)
    assert "Quarantined until" in (await ada.get(f"{base}/runs/{run}")).text
    ended = await ada.post(f"{base}/flakes/{test}/quarantine/end", data={"csrf_token": csrf, "back": "list"})
    assert ended.headers["location"] == f"{base}/quarantine?notice=quarantine-ended"
    assert await decided(resources, test) == "RESOLVED"
    again = await ada.post(f"{base}/flakes/{test}/quarantine/end", data={"csrf_token": csrf})
    assert again.status_code == 409
    assert "decided or ended meanwhile" in again.text
    assert "Somebody ended it." in (await ada.get(f"{base}/quarantine")).text
    assert "1 earlier decision" in (await ada.get(f"{base}/flakes/{test}")).text


async def newest_failing_run(resources, test: int) -> int:
    async with resources.database.transaction() as connection:
        return await connection.fetchval(
            "SELECT e.run_id FROM flake_events e JOIN test_runs r ON r.id = e.run_id"
            " WHERE e.test_case_id = $1 AND e.outcome IN (1, 2) ORDER BY r.executed_at DESC LIMIT 1",
            test,
        )


async def test_what_is_proposed_waits_for_somebody_who_may(ada, seeded, resources, people) -> None:
    base = f"/projects/{seeded.project_id}"
    test = seeded.tests["never_oversells[8 workers]"]
    broken = seeded.tests["weight_limits"]
    async with resources.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO quarantine_decisions"
            " (project_id, test_case_id, state, score, confidence, rationale, until, proposed_at)"
            " SELECT $1, unnest($2::bigint[]), 'PROPOSED', 0.5, 0.9, 'flaky', now() + interval '30 days', now()",
            seeded.project_id, [test, broken],
        )  # fmt: skip
    page = (await ada.get(f"{base}/quarantine")).text
    assert f'data-dialog="quarantine-{test}"' in page
    assert f'data-dialog="quarantine-{broken}"' not in page  # what is broken has to be repaired
    assert "Dismiss" in page
    assert "told as broken" in (await ada.get(f"{base}/flakes/{broken}")).text
    csrf = await token_on(ada, f"{base}/quarantine")
    refused = await ada.post(f"{base}/flakes/{broken}/quarantine", data={"csrf_token": csrf})
    assert refused.status_code == 409
    assert "Only what is flaky, suspected or recovering" in refused.text
    async with resources.database.transaction() as connection:
        await connection.execute("UPDATE memberships SET role = 'VIEWER' WHERE user_id = $1", people["ada"].user.id)
    for path in (f"{base}/quarantine", f"{base}/flakes/{test}"):
        page = (await ada.get(path)).text
        assert "Waits for somebody until" in page
        assert "data-dialog" not in page
        assert "Dismiss<" not in page
    assert (await ada.post(f"{base}/flakes/{test}/quarantine/dismiss", data={"csrf_token": csrf})).status_code == 403
    async with resources.database.transaction() as connection:
        await connection.execute("UPDATE memberships SET role = 'MEMBER' WHERE user_id = $1", people["ada"].user.id)
    without_token = await ada.post(f"{base}/flakes/{test}/quarantine/dismiss", data={})
    assert without_token.status_code == 403
    done = await ada.post(f"{base}/flakes/{test}/quarantine/dismiss", data={"csrf_token": csrf, "back": "list"})
    assert done.headers["location"] == f"{base}/quarantine?notice=dismissed"
    assert await decided(resources, test) == "DISMISSED"
