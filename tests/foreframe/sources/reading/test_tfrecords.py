"""TFRecord files are read to the byte or refused; messages too, whatever stands in them."""

import struct
from pathlib import Path

import google_crc32c
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreframe.errors import UserError
from foreframe.sources.reading import tfrecords
from tests.foreframe.sources import copies

FEATURES = {"0/action": [1.5, -2.0, 0.25], "0/image": b"\x00\x01\xff" * 9, "name": b""}


def plain(path: Path) -> list[dict[str, object]]:
    """Return the features of all records as plain values."""
    return [
        {name: (list(value.texts), value.numbers.tolist()) for name, value in features.items()}
        for features in map(tfrecords.features, tfrecords.places(path))
    ]


def test_the_checksum_is_the_published_one_and_its_mask_can_be_taken_off() -> None:
    # RFC 3720, B.4: 32 bytes of zeros.
    assert google_crc32c.value(bytes(32)) == 0x8A9136AA
    rotated = (tfrecords.masked_checksum(bytes(32)) - 0xA282EAD8) % 2**32
    assert (rotated << 15 | rotated >> 17) % 2**32 == 0x8A9136AA


@pytest.mark.parametrize("packed", [True, False])
def test_what_was_written_is_read(packed: bool, tmp_path: Path) -> None:
    path = copies.records(tmp_path / "a.tfrecords", [copies.example(FEATURES, packed)] * 3)
    expected = {
        "0/action": ([], [1.5, -2.0, 0.25]),
        "0/image": ([b"\x00\x01\xff" * 9], []),
        "name": ([b""], []),
    }
    assert plain(path) == [expected] * 3


def test_unknown_fields_are_skipped(tmp_path: Path) -> None:
    known = copies.example(FEATURES)
    extra = (
        copies.varint(9 << 3) + copies.varint(2**40),
        copies.varint(9 << 3 | 1) + bytes(8),
        copies.varint(9 << 3 | 5) + bytes(4),
        copies.message(9, b"any"),
    )
    for piece in extra:
        path = copies.records(tmp_path / "a.tfrecords", [piece + known, known + piece, known])
        assert plain(path)[0] == plain(path)[1] == plain(path)[2]


def test_every_damage_is_found_or_changes_nothing(tmp_path: Path) -> None:
    path = copies.records(tmp_path / "a.tfrecords", [copies.example(FEATURES)] * 2)
    content, right = path.read_bytes(), plain(path)
    noise = numpy.random.default_rng(0)
    refused = 0
    for number in range(300):
        damaged = bytearray(content)
        place = int(noise.integers(len(content)))
        if number % 3 == 0:
            damaged = damaged[:place]
        elif number % 3 == 1:
            damaged[place] ^= 1 << int(noise.integers(8))
        else:
            damaged[place:place] = noise.bytes(5)
        path.write_bytes(damaged)
        try:
            # A file cut between two records is whole as far as it goes.
            assert plain(path) == right[: len(damaged) * 2 // len(content)]
        except UserError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused >= 295


@given(st.binary(max_size=200))
def test_any_message_with_a_right_checksum_is_features_or_an_error(content: bytes) -> None:
    known = copies.example({"a": b"b"})
    for body in (content, known + content, copies.message(1, copies.message(1, content))):
        try:
            dict(tfrecords._features(memoryview(body)))
        except ValueError as error:
            # Named with the file by its caller.
            assert str(error)


def test_a_wrong_checksum_names_file_and_record(tmp_path: Path) -> None:
    path = copies.records(tmp_path / "a.tfrecords", [copies.example(FEATURES)] * 2)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tfrecords is damaged: record 2: its checksum"):
        plain(path)


def test_a_length_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    head = struct.pack("<Q", 1 << 60)
    path = tmp_path / "a.tfrecords"
    path.write_bytes(head + struct.pack("<I", tfrecords.masked_checksum(head)) + bytes(100))
    with pytest.raises(UserError, match="record 1: it claims 1152921504606846976 bytes"):
        tfrecords.places(path)


def test_something_else_with_right_checksums_is_no_example(tmp_path: Path) -> None:
    path = copies.records(tmp_path / "a.tfrecords", [b"\x0a\xff"])
    with pytest.raises(UserError, match=r"record 1: it is no tf\.train\.Example"):
        plain(path)


def test_an_empty_file_was_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.tfrecords").touch()
    with pytest.raises(UserError, match=r"a\.tfrecords is empty"):
        tfrecords.places(tmp_path / "a.tfrecords")
