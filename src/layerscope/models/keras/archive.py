"""A member of a .keras archive as a file that can be read in any order."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

# A member's own header: 26 bytes, then the lengths of its name and its extra field.
_HEADER_SIZE, _LENGTHS_AT = 30, 26


def open_member(
    path: Path, archive: zipfile.ZipFile, name: str
) -> AbstractContextManager[IO[bytes] | io.RawIOBase]:
    """A member to read and seek in; one stored as it is (Keras's way) is read in place.

    ZipFile's own reader starts anew for every step back, and checks a sum over all it passes.
    """
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        return archive.open(info)
    file = path.open("rb")
    file.seek(info.header_offset + _LENGTHS_AT)
    lengths = file.read(_HEADER_SIZE - _LENGTHS_AT)
    if len(lengths) != _HEADER_SIZE - _LENGTHS_AT:
        file.close()
        raise zipfile.BadZipFile(f"member {name!r} is cut off")
    start = info.header_offset + _HEADER_SIZE + sum(struct.unpack("<HH", lengths))
    return _Window(file, start, info.file_size)


class _Window(io.RawIOBase):
    """The bytes ``start`` to ``start + size`` of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(count)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
