"""What went wrong inside Keras, in one message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layerscope.errors import LayerscopeError, ModelError

_LONGEST = 300
_MISSING_CLASS = re.compile(r"(?:Could not locate class|Unknown layer:) '([^']{1,100})'")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def reason(error: BaseException) -> str:
    """The gist of an exception: Keras's frame around it and the list of arguments left out.

    >>> reason(ValueError("Exception encountered when calling A.call().\\n\\nNo luck.\\n\\nArgs"))
    'No luck.'
    """
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception encountered")]
    return told[0][:_LONGEST] if told else type(error).__name__


@contextmanager
def told_as(path: Path, version: str) -> Iterator[None]:
    """Keras's own failures on a file as one ModelError; version: of the Keras that wrote it."""
    try:
        yield
    except LayerscopeError:
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        missing = _MISSING_CLASS.search(text)
        if missing:
            raise ModelError(
                f"{path} holds the class {missing[1]!r}, which is not part of Keras. Supply "
                "the Python file that defines it: --custom FILE.py (in Python, custom=...)."
            ) from error
        more = "…" if len(text) > _LONGEST else ""
        raise ModelError(
            f"{path}, written by Keras {version}, cannot be opened by Keras: "
            f"{text[:_LONGEST]}{more}"
        ) from error
