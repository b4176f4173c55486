"""Keeping what native libraries print while they are imported away from the user's terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

hush: ContextVar[bool] = ContextVar("hush", default=False)


@contextmanager
def quiet_import() -> Iterator[None]:
    """Hold back the process's stderr where ``hush`` is set; shown after all if the work fails."""
    if not hush.get():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
