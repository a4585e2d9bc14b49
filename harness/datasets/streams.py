"""Bytes on their way to the cache: read in pieces, unpacked where they are gzip, hashed as they pass."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECE = 1 << 20
"""Most bytes in memory at once, per stage."""

LARGEST = 4 << 30
"""Most bytes a gzip file may unpack to: more is taken for a bomb."""

_MAGIC = b"\x1f\x8b"
_WITH_GZIP_HEADER = 16 + zlib.MAX_WBITS


class DamagedError(Exception):
    """A gzip stream that ends early, is corrupt or unpacks to more than is allowed; the message says which."""


def read_pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in pieces."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def unpacked(pieces: Iterable[bytes], limit: int | None = None) -> Iterator[bytes]:
    """The uncompressed bytes of a stream, whether it is gzip or not.

    Two layers are removed: a ``.gz`` file that a server compressed once more on the way arrives doubly packed.

    Args:
        pieces: The stream.
        limit: Most bytes to unpack to; absent: `LARGEST`.

    Raises:
        DamagedError: The stream is gzip and broken, or unpacks to more than ``limit``.
    """
    bound = LARGEST if limit is None else limit
    return _gunzip(_gunzip(pieces, bound), bound)


def digest_of(pieces: Iterable[bytes]) -> str:
    """The sha256 of a stream, as hex."""
    state = hashlib.sha256()
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()


def plain_digest(path: Path, limit: int | None = None) -> str:
    """The sha256 of a file's uncompressed bytes, as hex.

    Raises:
        DamagedError: A broken gzip file.
        OSError: The file cannot be read.
    """
    return digest_of(unpacked(read_pieces(path), limit))


def _gunzip(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    stream = iter(pieces)
    head = b""
    for piece in stream:
        head += piece
        if len(head) >= len(_MAGIC):
            break
    if not head.startswith(_MAGIC):
        if head:
            yield head
        yield from stream
        return
    yield from _members(head, stream, limit)


def _members(head: bytes, stream: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Unpack one gzip member after the other (the format allows several, and zeros as padding behind them)."""
    unpacker = zlib.decompressobj(_WITH_GZIP_HEADER)
    rest, size = head, 0
    while True:
        try:
            piece = unpacker.decompress(rest, PIECE)
        except zlib.error as error:
            raise DamagedError(f"the gzip data is damaged ({error})") from error
        size += len(piece)
        if size > limit:
            raise DamagedError(f"the gzip data unpacks to more than {limit} bytes")
        if piece:
            yield piece
        if unpacker.eof:
            rest = _next_member(unpacker.unused_data, stream)
            if not rest:
                return
            unpacker = zlib.decompressobj(_WITH_GZIP_HEADER)
            continue
        rest = unpacker.unconsumed_tail
        if not rest and len(piece) < PIECE:
            rest = next(stream, b"")
            if not rest:
                raise DamagedError("the gzip data ends too early")


def _next_member(rest: bytes, stream: Iterator[bytes]) -> bytes:
    rest = rest.lstrip(b"\0")
    while not rest:
        piece = next(stream, None)
        if piece is None:
            return b""
        rest = piece.lstrip(b"\0")
    return rest
