"""From an artifact's ZIP to the reports in it: what is stored is a ZIP of those alone, written anew.

Names that lead out of the archive, bombs and encrypted files are refused by `flakeguard.reports.archives`.
"""

import hashlib
import tempfile
import zipfile
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from flakeguard.github.artifacts.choosing import ArtifactRules, PassedOver, matches_file
from flakeguard.github.errors import HalfArtifactError
from flakeguard.ingestion.receiving import ReceivedFile
from flakeguard.reports.archives import ArchiveLimits, Piece, expand
from flakeguard.reports.model import ReportError
from flakeguard.reports.sniffing import can_be_report
from fluxbase.errors import InvalidRequestError

_IN_MEMORY_BYTES = 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_HEAD_BYTES = 4_096
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")  # of a member, and of the end, with which an empty archive begins
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same reports give the same bytes, whenever they are fetched


class BrokenArtifactError(InvalidRequestError):
    """An artifact arrived whole and cannot be read; fetching it again cannot help."""

    code = "broken_artifact"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The reports of an artifact (None: it holds none), and files of it that were refused."""

    reports: ReceivedFile | None
    files: int
    passed_over: tuple[PassedOver, ...]


def unpack(
    packed: BinaryIO, name: str, rules: ArtifactRules, limits: ArchiveLimits, *, whole: bool = False
) -> Unpacked:
    """Take the reports out of the ZIP `packed`. Blocking: it reads, inflates and compresses.

    `whole`: it is certain that all of it came, so that what is missing is missing where it came from.

    Raises:
        HalfArtifactError: It begins as a ZIP and ends before its table of contents: the rest may be on its way.
        BrokenArtifactError: It is no ZIP or cannot be read, or all that it could offer was refused.
    """
    if not zipfile.is_zipfile(packed):
        raise _no_zip(packed, name, whole=whole)
    packed.seek(0)
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 -- closed by who gets it
    try:
        return _unpack_into(spool, packed, name, rules, limits)
    except BaseException:
        spool.close()
        raise


def _no_zip(packed: BinaryIO, name: str, *, whole: bool) -> HalfArtifactError | BrokenArtifactError:
    packed.seek(0)
    begins = packed.read(4)
    if not any(signature.startswith(begins) for signature in _SIGNATURES):
        return BrokenArtifactError(f"the artifact {name} is no ZIP")
    if whole:
        return BrokenArtifactError(f"the artifact {name} came whole and has no table of contents")
    return HalfArtifactError(message=f"the artifact {name} ends before its table of contents")


def _unpack_into(
    spool: IO[bytes], packed: BinaryIO, name: str, rules: ArtifactRules, limits: ArchiveLimits
) -> Unpacked:
    passed_over: list[PassedOver] = []
    files, size = 0, 0
    with zipfile.ZipFile(spool, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as kept:
        for piece in expand(packed, name, limits):
            if piece.stream is None:
                if piece.name == name or matches_file(piece.name, rules.files):
                    passed_over.append(PassedOver(piece.name, piece.error.message if piece.error else "unreadable"))
            elif matches_file(piece.name, rules.files) and _begins_like_a_report(piece):
                written, damage = _copy(piece, kept)
                files, size = files + 1, size + written
                if damage:
                    passed_over.append(PassedOver(piece.name, damage))
    if not files:
        spool.close()
        if passed_over:
            raise BrokenArtifactError(f"the artifact {name} cannot be read: {'; '.join(map(str, passed_over[:5]))}")
        return Unpacked(None, 0, ())
    return Unpacked(_received(spool, name, size), files, tuple(passed_over))


def _begins_like_a_report(piece: Piece) -> bool:
    stream = cast("BinaryIO", piece.stream)
    return can_be_report(stream.peek(_HEAD_BYTES)) is not False  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType] -- members of a ZIP are buffered


def _copy(piece: Piece, kept: zipfile.ZipFile) -> tuple[int, str | None]:
    """Write one report; its size, and what is wrong when only a part of it could be read."""
    stream, written = cast("BinaryIO", piece.stream), 0
    info = zipfile.ZipInfo(piece.name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    with kept.open(info, "w", force_zip64=True) as target:
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                target.write(chunk)
                written += len(chunk)
        except ReportError as error:
            return written, error.message
    return written, getattr(getattr(stream, "raw", None), "damage", None)


def _received(spool: IO[bytes], name: str, size: int) -> ReceivedFile:
    digest = hashlib.sha256()
    spool.seek(0)
    while chunk := spool.read(_CHUNK_BYTES):
        digest.update(chunk)
    spool.seek(0)
    return ReceivedFile(f"{name}.zip"[-500:], "zip", size, digest.digest(), True, spool)  # noqa: FBT003 -- a report is in it
