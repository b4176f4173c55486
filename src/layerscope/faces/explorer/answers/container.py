"""The container: a JSON header and binary arrays in one block of bytes.

``b"LSC1"``, the header's length as a little-endian uint32, the header as UTF-8 JSON padded
with spaces to a multiple of 8, and the body. The header's ``"sections"`` list each array's
``"name"``, ``"dtype"`` (``"u1"``, ``"i4"``, ``"f4"`` or ``"f8"``), ``"shape"`` and ``"offset"``
in the body, a multiple of 8. Arrays are little-endian and C-ordered. NaN and infinities are in
arrays only, never in the header.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"LSC1"
_DTYPES = ("u1", "i4", "f4", "f8")
_STEP = 8


def pack(header: Mapping[str, Any], sections: Mapping[str, NDArray[Any]]) -> bytes:
    """A header and its arrays as one container.

    Raises ValueError for an array of another type, or a header with NaN in it.

    >>> header, arrays = unpack(pack({"signed": False}, {"lo": np.zeros(3, np.float32)}))
    >>> header["signed"], arrays["lo"].shape
    (False, (3,))
    """
    described, parts, offset = [], [], 0
    for name, array in sections.items():
        dtype = array.dtype.kind + str(array.dtype.itemsize)
        if dtype not in _DTYPES:
            raise ValueError(f"section {name!r} is {array.dtype}, and none of {_DTYPES}")
        described.append(
            {"name": name, "dtype": dtype, "shape": list(array.shape), "offset": offset}
        )
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data
        padding = -array.nbytes % _STEP
        parts += [data.cast("B") if array.size else b"", bytes(padding)]
        offset += array.nbytes + padding
    text = json.dumps(
        {**header, "sections": described}, allow_nan=False, separators=(",", ":")
    ).encode("ascii")
    text += b" " * (-len(text) % _STEP)
    return b"".join([MAGIC, struct.pack("<I", len(text)), text, *parts])


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays of a container. Raises ValueError for anything else."""
    if data[:4] != MAGIC:
        raise ValueError("not a container")
    (length,) = struct.unpack_from("<I", data, 4)
    header = json.loads(data[8 : 8 + length])
    arrays = {}
    for section in header["sections"]:
        dtype = np.dtype("<" + section["dtype"])
        count = int(np.prod(section["shape"], dtype=np.int64))
        start = 8 + length + section["offset"]
        array = np.frombuffer(data, dtype, count, start) if count else np.zeros(0, dtype)
        arrays[section["name"]] = array.reshape(section["shape"])
    return header, arrays
