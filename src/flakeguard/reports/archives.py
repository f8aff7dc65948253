"""TEMPORARY by the lead, until the reports engineer's lands: overwrite me."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from flakeguard.reports.model import ReportError


@dataclass
class ArchiveLimits: ...


@dataclass
class Piece:
    name: str
    stream: BinaryIO | None
    error: ReportError | None = None


def expand(stream: BinaryIO, name: str, limits: ArchiveLimits = ArchiveLimits()) -> Iterator[Piece]:
    head = stream.read(4)
    stream.seek(0)
    if head[:2] == b"\x1f\x8b":
        yield Piece(name.removesuffix(".gz"), gzip.GzipFile(fileobj=stream))
    elif head == b"PK\x03\x04":
        with zipfile.ZipFile(stream) as z:
            for n in z.namelist():
                yield Piece(n, io.BytesIO(z.read(n)))
    else:
        yield Piece(name, stream)
