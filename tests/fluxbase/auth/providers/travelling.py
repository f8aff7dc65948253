"""To a provider and back, as a browser does it."""

from urllib.parse import urlsplit

import httpx

from ...serving import PASSWORD

AUTH = "/api/v1/auth"


async def leave(client, provider="oidc", **query) -> str:
    answer = await client.get(f"{AUTH}/oauth/{provider}/authorize", params=query)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def consent(url: str, sub: str) -> str:
    """What the provider answers the person's yes with: the way back, as a path of ours."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(url, data={"sub": sub})
    back = urlsplit(answer.headers["location"])
    assert (back.scheme, back.netloc) == ("http", "testserver")
    return f"{back.path}?{back.query}"


async def sign_in(client, sub="ada", **query):
    return await client.get(await consent(await leave(client, **query), sub))


async def confirmed_ada(client, owner) -> dict:
    answer = await client.post(f"{AUTH}/signup", json={"email": "ada@example.com", "password": PASSWORD})
    client.cookies.clear()
    await owner.execute("UPDATE auth.users SET email_confirmed_at = now()")
    return answer.json()
