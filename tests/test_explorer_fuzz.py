"""The server fuzzed from its own description: every request is answered as described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from layerscope.faces.explorer.session import Explorer
from layerscope.models import open_model
from serving import Served, serving

# What they take is more than a description can say: a picture, a row with its column.
_WITH_RULES = {"runs", "explain", "field", "picture.png"}


@pytest.fixture(scope="module")
def served(networks: Path):
    def make(ticket):
        explorer = Explorer([open_model(str(networks / "small.keras"))], memory=10**6)
        explorer.add(str(networks / "cat.png"))
        return explorer

    with serving(make, upload_bytes=2**16, upload_pixels=10**6) as found:
        yield found


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Let half of all requests be for what is there."""
    found = dict(path_parameters or {})
    for name, count in (("layer", 5), ("channel", 5)):
        number = str(found.get(name, ""))
        if number.isdecimal() and int(number) % 2:
            found[name] = int(number) % count
    if len(str(found.get("run", ""))) % 2:
        found["run"] = "r0"
    return found


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_request_is_answered_as_described(mode: GenerationMode, served: Served) -> None:
    """mode: requests as the description wants them, or that break it somewhere."""
    schema = schemathesis.openapi.from_url(f"{served.base}openapi.json")
    asked: set[str] = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=12, derandomize=True, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            asked.add(case.operation.label)
            free = case.operation.path.rpartition("/")[2] in _WITH_RULES
            case.call_and_validate(excluded_checks=[positive_data_acceptance] if free else [])

        try:
            ask()
        except Unsatisfiable:
            # Nothing can break an operation that takes nothing.
            assert mode is GenerationMode.NEGATIVE
            assert not operation.definition.raw["parameters"]
    assert "r0" in served.explorer.runs
    assert len(asked) >= 15
