"""A disk that is really full: a file system of 1 MiB where one can be mounted, a limit on files anywhere."""

import contextlib
import io
import resource
import subprocess

import pytest

from fluxbase.errors import InsufficientStorageError
from fluxbase.monitoring import configure_logging
from fluxbase.storage import clean, storage_health
from fluxbase.storage.blobs import BlobStore, LocalStore

from .conftest import blobs_in


@pytest.fixture
def folder(tmp_path):
    """The store's folder, on a file system of its own."""
    mounted = tmp_path / "storage"
    mounted.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mounted)],
        capture_output=True,
        check=False,
    )
    if mount.returncode:
        pytest.skip(f"no file system can be mounted here ({mount.stderr.decode().strip()})")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


@pytest.mark.parametrize("size", [2_000_000, 7_000_000], ids=["one write", "parts"])
async def test_a_full_disk_is_507_and_loses_nothing(alice, private, folder, app, owner, resources, size):
    stream = io.StringIO()
    configure_logging(stream=stream)
    kept = b"k" * 600_000
    assert (await alice.put(f"{private}/a", content=kept)).status_code == 201

    for name in ("a", "b"):
        refused = await alice.put(f"{private}/{name}", content=b"x" * size)
        assert (refused.status_code, refused.json()["error"]) == (507, "insufficient_storage")
        assert int(refused.headers["retry-after"]) >= 1
    assert "no space left on device" in stream.getvalue()

    assert (await alice.get(f"{private}/a")).content == kept
    assert (await alice.get(f"{private}/b")).status_code == 404
    await clean(resources.database, lambda: app.state.blobs, grace_seconds=0)
    assert [path.stat().st_size for path in blobs_in(folder)] == [600_000]

    # The operator makes room, as the runbook says.
    await owner.execute("DELETE FROM storage.objects WHERE bucket_id = 'private'")
    await clean(resources.database, lambda: app.state.blobs, grace_seconds=0)
    assert (await alice.put(f"{private}/b", content=b"x" * 600_000)).status_code == 201


async def test_health_says_so(alice, private, folder, app):
    await alice.put(f"{private}/a", content=b"1")
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    health = await storage_health(app.state.blobs)
    assert not health.well
    assert "no space" in (health.message or "")


async def test_a_limit_on_files_is_a_full_disk_too(tmp_path):
    """EFBIG; needs no rights, so this much is tested everywhere."""

    async def content():
        yield b"x" * 4_000_000

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, before[1]))
    try:
        with pytest.raises(InsufficientStorageError):
            await BlobStore(LocalStore(tmp_path), tmp_path).write("a/b", content())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert blobs_in(tmp_path) == []
