"""The committed front end: its colour tables are render's, and nothing in it reaches out."""

from __future__ import annotations

import json
import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STATIC = files("layerscope.faces.explorer") / "static"


def test_the_colour_tables_are_those_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    import colour_tables

    assert colour_tables.TARGET.read_text(encoding="utf-8") == colour_tables.text()


def test_the_lock_file_pins_everything_and_names_no_host() -> None:
    package = json.loads((ROOT / "frontend" / "package.json").read_text(encoding="utf-8"))
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text(encoding="utf-8"))
    for name, held in lock["packages"].items():
        assert "resolved" not in held, name
        assert name == "" or "integrity" in held, name


def test_the_licences_of_what_is_bundled_are_beside_it() -> None:
    package = json.loads((ROOT / "frontend" / "package.json").read_text(encoding="utf-8"))
    notice = (STATIC / "NOTICE").read_text(encoding="utf-8")
    for name, version in package["dependencies"].items():
        assert f"{name} {version}\n" in notice
    assert "MIT License" in notice
    assert "Apache License" in notice


def test_the_page_loads_nothing_from_elsewhere() -> None:
    script = (STATIC / "explorer.js").read_text(encoding="utf-8")
    style = (STATIC / "explorer.css").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\"'`\s)]+", script + style))
    # Names of SVG's and MathML's elements in the DOM, which nothing is fetched from.
    assert addresses <= {
        "http://www.w3.org/1999/xhtml",
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
    }
    assert "</script" not in script.lower()
