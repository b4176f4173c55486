"""The table of files that open: rows from marked tests, and the page made of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import which_files
from which_files import Row, row_of, seen

ROOT = Path(__file__).parents[1]
KIND = {"era": "Keras 2", "writer": "tf_keras", "file": ".h5", "what": "{name} twice"}


def mark(**more: Any) -> Any:
    return pytest.mark.opens(**KIND, **more)


def test_a_row_holds_what_the_test_has_seen() -> None:
    which_files.begin()
    for share in (1e-7, 3e-7, 2e-7):
        seen.compared(share)
    row = row_of(mark(against="NumPy"), {"name": "Dense", "other": 1})
    assert row == Row(
        "Keras 2", "tf_keras", ".h5", "Dense twice", "opens", None, "NumPy", 3e-7
    )  # fmt: skip
    assert row_of(mark(against="NumPy", exact=True), {"name": "x"}).difference == 0
    assert row_of(mark(), {"name": "x"}).difference is None
    seen.told(writer="Keras 2.1.6")
    seen.refused(ValueError("/some/where/m.h5: no 'a/b'. See /other/place/n.h5."))
    refused = row_of(mark(refused=True), {"name": "x"})
    assert (refused.writer, refused.result) == ("Keras 2.1.6", "refused")
    assert refused.why == "m.h5: no 'a/b'. See n.h5."


def test_a_row_without_evidence_is_an_error() -> None:
    which_files.begin()
    with pytest.raises(AssertionError, match="x twice: nothing was compared"):
        row_of(mark(against="NumPy"), {"name": "x"})
    with pytest.raises(AssertionError, match="x twice: nothing was refused"):
        row_of(mark(refused=True), {"name": "x"})


INNER = """
import os
import pytest
from which_files import seen

KIND = {"era": "Keras 2", "writer": "w", "file": ".h5"}

@pytest.mark.opens(**KIND, what="a", against="b")
@pytest.mark.opens(**KIND, what="{name}")
@pytest.mark.parametrize("name", ["c", "d"])
def test_one(name):
    seen.compared(0.5)

@pytest.mark.opens(**KIND, what="absent")
def test_two():
    pytest.skip("no material")

@pytest.mark.opens(**KIND, what="e")
def test_three():
    assert not os.environ.get("BROKEN")

def test_other():
    pass
"""


@pytest.mark.parametrize(
    ("words", "broken", "whole"),
    [
        ([], "", True),
        (["-m", "opens"], "", True),
        (["-k", "one"], "", False),
        (["tests"], "", False),
        ([], "yes", False),
    ],
)
def test_only_a_whole_run_that_passes_writes_the_table(
    words: list[str], broken: str, whole: bool, tmp_path: Path
) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("which_files.py", "conftest.py", "networks.py"):
        (tmp_path / "tests" / name).write_bytes((ROOT / "tests" / name).read_bytes())
    (tmp_path / "tests" / "test_inner.py").write_text(INNER)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\ntestpaths = tests\npythonpath = tests\nmarkers = opens: what is opened\n"
    )
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    done = subprocess.run(
        program, cwd=tmp_path, env=_environment(broken), capture_output=True, text=True
    )
    assert (done.returncode == 0) != bool(broken), done.stdout
    table = tmp_path / "docs" / "generated" / "files.json"
    assert table.is_file() == whole
    if whole:
        found = json.loads(table.read_text())
        assert [row["what"] for row in found["rows"]] == ["a", "c", "d", "e"]
        assert [row["difference"] for row in found["rows"]] == [0.5, None, None, None]
        assert set(found["versions"]) == {"keras", "TensorFlow", "tf_keras"}


def _environment(broken: str) -> dict[str, str]:
    return {**os.environ, "BROKEN": broken, "KERAS_BACKEND": "tensorflow"}


def rendered(table: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    files_table = import_module("files_table")
    return "\n".join(node.astext() for node in files_table.sections(table))


def test_the_page_gathers_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"era": "Keras 1", "writer": "w", "file": ".h5", "result": "opens", "why": None}
    rows = [
        {**row, "what": what, "against": against, "difference": difference}
        for what, against, difference in (
            ("Merge: sum", "NumPy", 2e-7), ("Merge: max", "NumPy", 0.0), ("Dense", "NumPy", 1e-8),
            ("a real network", None, None), ("a real network", "tf_keras", 0.0),
            ("another", None, None),
        )
    ]  # fmt: skip
    rows.append(
        {**row, "what": "Lambda", "against": None, "difference": None, "result": "refused",
         "why": "m.h5: layer 'x' is a Lambda. Pass --trust."}
    )  # fmt: skip
    text = rendered({"versions": {"keras": "3"}, "rows": rows}, monkeypatch)
    lines = [line for line in text.splitlines() if line]
    assert lines[0].startswith("6 kinds of file or layer that the tests wrote or found and opened")
    assert "and 1 that they saw refused, on keras 3." in lines[0]
    at = lines.index("Dense; Merge: max, sum")
    assert lines[at + 1 : at + 3] == ["NumPy", "2e-07"]
    assert [line for line in lines if "network" in line or line == "another"] == [
        "another", "a real network",
    ]  # fmt: skip
    assert lines[lines.index("a real network") + 2] == "nothing"
    assert lines[-1] == "Layer 'x' is a Lambda. Pass --trust."


@pytest.mark.parametrize("made", [False, True])
def test_the_page_is_built_with_and_without_the_table(made: bool, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "_ext").mkdir(parents=True)
    source = ROOT / "docs" / "_ext" / "files_table.py"
    (docs / "_ext" / source.name).write_bytes(source.read_bytes())
    (docs / "conf.py").write_text(
        "import sys\nsys.path.insert(0, '_ext')\nextensions = ['myst_parser', 'files_table']\n"
    )
    (docs / "index.md").write_text("# Files\n\n```{which-files}\n```\n")
    if made:
        row = Row("Keras 1", "w", ".h5", "<Dense>", "opens", None, "NumPy", 2e-7)
        which_files.write([row, row], {"keras": "3"}, docs / "generated" / "files.json")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", ".", "_build"],
        cwd=docs, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (docs / "_build" / "index.html").read_text(encoding="utf-8")
    assert ("This build has no table" in page) != made
    assert (page.count("&lt;Dense&gt;"), page.count("2e-07")) == ((1, 1) if made else (0, 0))
