"""A zip file that other programs could read otherwise is refused, also with the right hash at its end."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from compliance.bundles import verify
from compliance.packs import verify as of_packs
from tests.unit.compliance.bundles.made import a_log, bundle, checked, members

FORGED = b"index,action\r\n0,FORGED\r\n"
BEGINS = "# --- zip files and folders"


def local(name: bytes, data: bytes) -> bytes:
    """A file as it lies in a zip file, not compressed."""
    sizes = (zlib.crc32(data), len(data), len(data))
    return struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 0x21, *sizes, len(name), 0) + name + data


def first_of(whole: bytes) -> int:
    """Where the directory begins."""
    return int(struct.unpack("<I", whole[-70:-66])[0])


def sealed(whole: bytes) -> bytes:
    """The same with the right hash at its end."""
    return whole[:-64] + sha256(whole[:-64]).hexdigest().encode()


def moved(whole: bytes, by: int) -> bytes:
    """The same, whose end record says that the directory begins `by` bytes later."""
    return whole[:-70] + struct.pack("<I", first_of(whole) + by) + whole[-66:]


def before_the_directory(whole: bytes) -> bytes:
    more, first = local(b"events.csv", FORGED), first_of(whole)
    return moved(whole[:first] + more + whole[first:], len(more))


def before_the_first_file(whole: bytes) -> bytes:
    return local(b"events.csv", FORGED) + whole


def after_the_directory(whole: bytes) -> bytes:
    return whole[:-86] + FORGED + whole[-86:]


def another_name_in_a_header(whole: bytes) -> bytes:
    at = whole.index(b"events.csv")
    return whole[:at] + b"events.xls" + whole[at + 10 :]


def another_time_in_a_header(whole: bytes) -> bytes:
    return whole[:10] + bytes([whole[10] ^ 1]) + whole[11:]


def another_size_in_a_header(whole: bytes) -> bytes:
    at = whole.index(b"events.csv") + 10 + 4
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


def a_link(whole: bytes) -> bytes:
    at = whole.index(b"PK\1\2") + 38
    return whole[:at] + struct.pack("<I", 0o120777 << 16) + whole[at + 4 :]


@pytest.mark.parametrize(
    "forge",
    [
        before_the_directory,
        before_the_first_file,
        after_the_directory,
        another_name_in_a_header,
        another_time_in_a_header,
        another_size_in_a_header,
        a_link,
    ],
    ids=lambda forge: forge.__name__,
)
def test_what_another_program_could_read_is_found(tmp_path: Path, forge: Callable[[bytes], bytes]) -> None:
    path = bundle(tmp_path / "b.zip", a_log(5))
    path.write_bytes(sealed(forge(path.read_bytes())))
    assert checked(path).count


class Followed:
    """A compressor that writes more than it compressed."""

    def __init__(self, compressor: Any) -> None:
        self._compressor = compressor

    def flush(self) -> bytes:
        return bytes(self._compressor.flush()) + FORGED


def test_what_follows_the_compressed_data_of_a_file_is_found(tmp_path: Path) -> None:
    """Python's zipfile stops where the compressed data end."""
    files, out = members(bundle(tmp_path / "b.zip", a_log(5))), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            with archive.open(name, "w") as file:
                file.write(data)
                if name == "events.csv":
                    file._compressor = Followed(file._compressor)  # type: ignore[attr-defined]
        archive.comment = b"0" * 64
    path = tmp_path / "forged.zip"
    path.write_bytes(sealed(out.getvalue()))
    assert members(path) == files
    assert any("something between the data" in each for each in checked(path).problems)


def test_files_in_another_order_or_besides_are_found(tmp_path: Path) -> None:
    files = members(bundle(tmp_path / "b.zip", a_log(5)))
    for names in ([*reversed(files)], [*files, "more/"]):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in names:
                archive.writestr(name, files.get(name, FORGED))
            archive.comment = b"0" * 64
        path = tmp_path / "forged.zip"
        path.write_bytes(sealed(out.getvalue()))
        assert any(each.startswith("The zip file was altered after it was made") for each in checked(path).problems)


@pytest.mark.parametrize("is_streamed", [False, True], ids=["seekable", "streamed"])
@pytest.mark.parametrize("limit", [10, 1 << 31], ids=["64 bits", "32 bits"])
def test_what_python_writes_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, is_streamed: bool
) -> None:
    """Also of files so large that their sizes need 64 bits, and where sizes follow the data."""

    class Unseekable(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(zipfile, "ZIP64_LIMIT", limit)
        out = Unseekable() if is_streamed else io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("a", "b", "c"):
                with archive.open(name, "w", force_zip64=True) as file:
                    file.write(os.urandom(3000))
            archive.comment = b"0" * 64
    path = tmp_path / "b.zip"
    path.write_bytes(out.getvalue())
    verify.check_zip(path, ["a", "b", "c"])
    for at in range(0, len(out.getvalue()) - 64, 7):
        whole = bytearray(out.getvalue())
        whole[at] ^= 4
        path.write_bytes(whole)
        if at % 500 < 40 or at > len(whole) - 400:
            _refused_or_of_no_matter(path, at, out.getvalue())


def _refused_or_of_no_matter(path: Path, at: int, whole: bytes) -> None:
    """Only who made it, for which version, is said without effect: the attributes of a plain file, too."""
    try:
        verify.check_zip(path, ["a", "b", "c"])
    except verify.Wrong:
        return
    places = [place for place in range(len(whole)) if whole[place : place + 4] in (b"PK\1\2", b"PK\3\4")]
    assert any(place + 4 <= at < place + 8 or place + 38 <= at < place + 42 for place in places), at


def test_both_verifiers_look_at_zip_files_alike() -> None:
    def lines(program: Path) -> str:
        text = program.read_text()
        begin = text.index(BEGINS)
        return text[begin : text.index("\n# --- ", begin)]

    assert lines(Path(verify.__file__)) == lines(Path(of_packs.__file__))


# --- folders, keys and checkpoints -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    into = tmp_path / "unpacked"
    zipfile.ZipFile(bundle(tmp_path / "b.zip", a_log(5))).extractall(into)
    assert checked(into).problems == []
    return into


@pytest.mark.parametrize("name", ["__pycache__-events.csv", "__pycache__/verify.pyc", "more"])
def test_a_file_more_in_a_folder_is_found(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(FORGED)
    assert name in checked(folder).problems[0]


def test_a_link_in_a_folder_is_found(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "events.csv").write_bytes(FORGED)
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    assert "a link" in checked(folder).problems[0]
    (folder / "more").unlink()
    (folder / "more").mkdir()
    assert "more" in checked(folder).problems[0]


def test_a_file_without_keys_is_no_reason_to_trust_the_bundles_own(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(" \n")
    with pytest.raises(verify.Unchecked, match="no key in this file"):
        verify.public_keys([str(keys)])
