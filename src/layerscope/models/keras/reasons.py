"""What went wrong inside Keras, in one line."""

from __future__ import annotations

import re

_LONGEST = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def reason(error: BaseException) -> str:
    """The gist of an exception: Keras's frame around it and the list of arguments left out.

    >>> reason(ValueError("Exception encountered when calling A.call().\\n\\nNo luck.\\n\\nArgs"))
    'No luck.'
    """
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception encountered")]
    return told[0][:_LONGEST] if told else type(error).__name__
