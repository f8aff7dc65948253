"""Signing in by GitHub, which speaks OAuth without OpenID."""

from urllib.parse import parse_qs, urlsplit

from .travelling import AUTH, leave


async def github_back(client) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(await leave(client, "github")).query).items()}
    assert query["scope"] == "read:user user:email"
    assert "nonce" not in query
    return f"{AUTH}/oauth/github/callback?state={query['state']}&code={query['code_challenge']}"


async def test_github_vouches_for_its_primary_address(client, github, owner):
    answer = await client.get(await github_back(client))
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == "ada@example.com"
    row = await owner.fetchrow("SELECT provider, provider_id FROM auth.identities")
    assert dict(row) == {"provider": "github", "provider_id": "4711"}


async def test_github_without_a_verified_address_or_the_right_verifier(client, github):
    github.verified = False
    assert (await client.get(await github_back(client))).json()["code"] == "PROVIDER_EMAIL_UNVERIFIED"
    wrong = (await github_back(client))[:-1] + "~"
    assert (await client.get(wrong)).json()["code"] == "PROVIDER_REFUSED"
