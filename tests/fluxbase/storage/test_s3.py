"""The same on S3: moto's server speaks it."""

import os
from collections.abc import Iterator

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from fluxbase.errors import ConfigurationError
from fluxbase.settings import StorageProvider
from fluxbase.storage import clean, storage_health
from fluxbase.storage.blobs import open_store

from .conftest import use_store

LARGE = os.urandom(11 * 1024 * 1024)  # three parts


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint):
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )
    client.create_bucket(Bucket="objects")
    yield client
    httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
    client.close()


@pytest.fixture
def app(app, settings, endpoint, s3):
    use_store(app, settings.model_copy(update=_of(endpoint)))
    return app


def _of(endpoint: str) -> dict:
    return {
        "storage_provider": StorageProvider.S3,
        "storage_s3_bucket": "objects",
        "storage_s3_endpoint": endpoint,
        "storage_s3_access_key": SecretStr("key"),
        "storage_s3_secret_key": SecretStr("secret"),
    }


def keys_in(s3) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket="objects").get("Contents", [])]


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "one request", "three parts"])
async def test_what_is_uploaded_is_what_is_read(alice, private, s3, content):
    assert (await alice.post(f"{private}/a/b", content=content)).status_code == 201
    assert (await alice.get(f"{private}/a/b")).content == content
    assert len(keys_in(s3)) == 1
    if content:
        part = await alice.get(f"{private}/a/b", headers={"range": f"bytes={len(content) - 3}-"})
        assert (part.status_code, part.content) == (206, content[-3:])


async def test_what_is_replaced_and_deleted_goes(alice, private, s3, app, resources, owner):
    for name in "ab":
        await alice.put(f"{private}/{name}", content=b"1")
    await alice.put(f"{private}/a", content=b"2")
    assert len(keys_in(s3)) == 3
    await owner.execute("DELETE FROM storage.objects WHERE name = 'b'")
    assert await clean(resources.database, lambda: app.state.blobs, grace_seconds=0) == 2
    assert len(keys_in(s3)) == 1
    assert (await alice.get(f"{private}/a")).content == b"2"


async def test_an_upload_that_breaks_off_leaves_nothing(alice, private, s3):
    form = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + LARGE
    cut = await alice.put(f"{private}/a", content=form, headers={"content-type": "multipart/form-data; boundary=b"})
    assert cut.status_code == 400
    assert keys_in(s3) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="objects")
    assert (await alice.get(f"{private}/a")).status_code == 404


async def test_health(app, alice, private, settings, tmp_path):
    await alice.put(f"{private}/a", content=b"1")
    assert (await storage_health(app.state.blobs)).well


async def test_a_store_that_is_away_is_503_and_comes_back(alice, private, s3):
    await alice.put(f"{private}/a", content=b"1")
    for key in keys_in(s3):
        s3.delete_object(Bucket="objects", Key=key)
    s3.delete_bucket(Bucket="objects")
    answer = await alice.put(f"{private}/b", content=b"2")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    s3.create_bucket(Bucket="objects")
    assert (await alice.put(f"{private}/b", content=b"2")).status_code == 201


def test_a_bucket_must_be_named(settings, tmp_path):
    with pytest.raises(ConfigurationError, match="FLUXBASE_STORAGE_S3_BUCKET"):
        open_store(settings.model_copy(update={"storage_provider": StorageProvider.S3}), tmp_path)
