import gzip
import io

import pytest

from harness.datasets.streams import PIECE, DamagedError, unpacked


def pieces(data: bytes, size: int):
    stream = io.BytesIO(data)
    while piece := stream.read(size):
        yield piece


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("content", [b"", b"\x1f", b"x", b"\x1fx", b"plain text\n" * 50])
def test_plain_bytes_pass_and_packed_ones_are_unpacked(content, size):
    assert b"".join(unpacked(pieces(content, size))) == content
    assert b"".join(unpacked(pieces(gzip.compress(content), size))) == content


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_several_members_and_padding(size):
    packed = gzip.compress(b"one") + b"\0" * 5 + gzip.compress(b"two") + b"\0" * 9
    assert b"".join(unpacked(pieces(packed, size))) == b"onetwo"


def test_memory_stays_bounded_however_well_it_packs():
    assert max(len(piece) for piece in unpacked([gzip.compress(bytes(20 * PIECE))])) <= PIECE


def test_exact_multiples_of_a_piece():
    content = bytes(2 * PIECE)
    assert b"".join(unpacked(pieces(gzip.compress(content), 1000))) == content


@pytest.mark.parametrize(
    "broken",
    [b"\x1f\x8b", b"\x1f\x8bnot gzip at all", gzip.compress(b"x" * 99)[:-3], gzip.compress(b"x") + b"rest"],
    ids=["magic alone", "no gzip", "cut", "rest"],  # gzip holds the time, and ids must not change
)
def test_damage_is_said(broken):
    with pytest.raises(DamagedError):
        b"".join(unpacked([broken]))


def test_a_limit_is_kept():
    with pytest.raises(DamagedError, match="more than 10 bytes"):
        b"".join(unpacked([gzip.compress(b"x" * 11)], 10))
    assert b"".join(unpacked([gzip.compress(b"x" * 10)], 10)) == b"x" * 10
