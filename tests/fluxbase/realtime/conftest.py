import httpx
import pytest

from ..serving import PASSWORD
from .serving import serving

NOTES = """
CREATE TABLE public.notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner uuid,
    text text,
    public boolean NOT NULL DEFAULT false,
    secret text
);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.notes FOR SELECT TO authenticated USING (owner = auth.uid());
CREATE POLICY open ON public.notes FOR SELECT TO anon, authenticated USING (public);
CREATE POLICY service ON public.notes TO service_role USING (true) WITH CHECK (true);
GRANT SELECT (id, owner, text, public) ON public.notes TO anon, authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.notes TO service_role;
SELECT realtime.set_events('public.notes', '{INSERT,UPDATE,DELETE}');
"""


@pytest.fixture
async def notes(owner):
    """A table of two tenants, live, with a column that only the service may read."""
    await owner.execute(NOTES)


@pytest.fixture
async def site(settings, addresses, notes):
    async with serving(settings, addresses) as running:
        yield running


@pytest.fixture
async def http(site):
    async with httpx.AsyncClient(base_url=site.url) as client:
        yield client


async def sign_up(http, email):
    answer = await http.post("/api/v1/auth/signup", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    http.cookies.clear()
    return answer.json()


@pytest.fixture
async def ada(http):
    return await sign_up(http, "ada@example.com")


@pytest.fixture
async def eve(http):
    return await sign_up(http, "eve@example.com")
