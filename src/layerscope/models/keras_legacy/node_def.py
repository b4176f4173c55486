"""TensorFlow's description of one operation, as Keras 2 put it into a config; without TensorFlow.

Later versions wrote its JSON form, earlier ones its bytes as a text. The fields are those of
``node_def.proto`` and ``attr_value.proto``.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.config import as_config

_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64",
    10: "bool", 14: "bfloat16", 19: "float16",
}  # fmt: skip
_NAMES = {"DT_FLOAT": 1, "DT_DOUBLE": 2, "DT_HALF": 19}
_NAMES |= {f"DT_{name.upper()}": number for number, name in _DTYPES.items()}


@dataclass(frozen=True)
class NodeDef:
    """op: the operation's type. attributes: numbers, texts, lists of numbers, names of dtypes."""

    op: str
    attributes: Mapping[str, Any]


def read_node_def(layer: str, stored: Any) -> NodeDef:
    """A NodeDef from a config. Raises ModelError where it is none."""
    try:
        if isinstance(stored, dict):
            return _from_json(stored)
        if isinstance(stored, str):
            return _from_bytes(stored.encode("utf-8"))
    except (ValueError, TypeError, IndexError, OverflowError, struct.error, binascii.Error):
        pass
    raise ModelError(
        f"layer {layer!r:.60} is a TensorFlow operation whose description cannot be read. "
        "Copy or download the file again."
    )


def _from_json(stored: dict[str, Any]) -> NodeDef:
    stored_attributes = as_config(stored.get("attr", {}))
    attributes = {key: _json_value(as_config(value)) for key, value in stored_attributes.items()}
    return NodeDef(str(stored["op"]) if "op" in stored else "", attributes)


def _json_value(value: Mapping[str, Any]) -> Any:
    if "list" in value:
        return [int(item) for item in as_config(value["list"]).get("i", [])]
    if "type" in value:
        number = value["type"]
        number = _NAMES.get(number) if isinstance(number, str) else number
        return _DTYPES.get(number)  # type: ignore[arg-type]
    if "s" in value:
        return base64.b64decode(value["s"]).decode("utf-8", "replace")
    if "i" in value:
        return int(value["i"])
    if "f" in value:
        return float(value["f"])
    return bool(value["b"]) if "b" in value else None


def _from_bytes(data: bytes) -> NodeDef:
    op, attributes = "", {}
    for number, value in _fields(data):
        if number == 2:
            op = bytes(value).decode("utf-8")
        elif number == 5:
            entry = dict(_fields(value))
            attributes[bytes(entry[1]).decode("utf-8")] = _value(entry.get(2, b""))
    return NodeDef(op, attributes)


def _value(data: bytes) -> Any:
    for number, value in _fields(data):
        if number == 1:
            return _numbers(value)
        if number == 2:
            return bytes(value).decode("utf-8", "replace")
        if number == 3:
            return value - (1 << 64) if value >> 63 else value
        if number == 4:
            return struct.unpack("<f", value)[0]
        if number == 5:
            return bool(value)
        if number == 6:
            return _DTYPES.get(value)
    return None


def _numbers(data: bytes) -> list[int]:
    """The whole numbers in a list, one by one or packed."""
    found = []
    for number, value in _fields(data):
        if number != 3:
            continue
        packed, at = value if isinstance(value, bytes) else b"", 0
        values = [] if packed else [value]
        while at < len(packed):
            one, at = _varint(packed, at)
            values.append(one)
        found += [one - (1 << 64) if one >> 63 else one for one in values]
    return found


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: numbers, bytes, and four or eight bytes of fixed width."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of the kind {kind}")
        if at + size > len(data):
            raise ValueError("a field that is cut off")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(10):
        byte = data[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    raise ValueError("a number without an end")
