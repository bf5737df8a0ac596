"""One hash for one string and for columns of any Arrow type."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import hash_string, hash_strings

TEXTS = st.lists(st.none() | st.text(max_size=40), max_size=30)


def murmur64a(data: bytes, seed: int) -> int:
    """The algorithm written down plainly, from its author's description."""
    m, mask = 0xC6A4A7935BD1E995, 2**64 - 1
    h = seed ^ (len(data) * m & mask)
    for i in range(0, len(data) - 7, 8):
        k = int.from_bytes(data[i : i + 8], "little") * m & mask
        h = (h ^ ((k ^ (k >> 47)) * m & mask)) * m & mask
    if tail := data[len(data) // 8 * 8 :]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ (h >> 47)) * m & mask
    return h ^ (h >> 47)


@given(st.text(max_size=50))
def test_it_is_murmur64a(text):
    assert hash_string(text) == murmur64a(text.encode(), 0x74616374)


@given(
    TEXTS, st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]), st.integers(0, 5)
)
def test_columns_agree_with_single_strings(texts, kind, skip):
    column = pa.array(texts, pa.string()).cast(kind)
    expected = [hash_string(text) for text in texts]
    assert hash_strings(column).tolist() == expected
    assert hash_strings(column.slice(skip)).tolist() == expected[skip:]
    assert hash_strings(pa.chunked_array([column, column.slice(skip)], kind)).tolist() == expected + expected[skip:]


@pytest.mark.parametrize("column", [pa.nulls(3), pa.nulls(3, pa.string()), pa.array(["", None, "a"])])
def test_null_and_only_null_is_zero(column):
    assert ((hash_strings(column) == 0) == column.is_null().to_numpy(zero_copy_only=False)).all()
    assert hash_string(None) == 0


def test_nothing_gives_nothing():
    assert hash_strings(pa.chunked_array([], pa.string())).shape == (0,)


def test_similar_ids_spread_over_all_bits():
    hashes = hash_strings(pa.array([f"basket-{i}" for i in range(20_000)]))
    assert len(np.unique(hashes)) == 20_000
    share = np.unpackbits(hashes.view(np.uint8)).reshape(20_000, 64).mean(axis=0)
    assert np.abs(share - 0.5).max() < 0.02
