"""The documentation says everything, and its checks find what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

import layerscope
from layerscope.faces.cli import app
from run_readme import Step, missing, steps

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted((*DOCS.rglob("*.md"), *DOCS.rglob("*.rst")))


def commands() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def options() -> list[tuple[str, Any]]:
    return [(name, p) for name, command in commands().items() for p in command.params]


def pages() -> list[Path]:
    return [page for page in PAGES if "_build" not in page.parts]


def test_every_public_name_is_in_the_reference() -> None:
    text = (DOCS / "api.rst").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE))
    assert set(layerscope.__all__) - documented == set()


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_says_what_it_does(name: str) -> None:
    assert commands()[name].help.strip()


@pytest.mark.parametrize(
    ("command", "parameter"), options(), ids=[f"{name} {p.name}" for name, p in options()]
)
def test_every_option_says_what_it_is_for(command: str, parameter: Any) -> None:
    assert (parameter.help or "").strip(), f"layerscope {command}: {parameter.opts}"
    if parameter.param_type_name == "option" and not parameter.is_flag:
        assert parameter.metavar, f"layerscope {command}: {parameter.opts} has no metavar"


def test_options_that_the_pages_speak_of_exist() -> None:
    known = {word for _, p in options() for word in (*p.opts, *p.secondary_opts)}
    known |= {"--help", "--version"}
    wrong = []
    for page in (*pages(), ROOT / "README.md"):
        text = page.read_text(encoding="utf-8")
        told = set(re.findall(r"(?<![\w%-])(--[a-z][a-z-]+)", text)) - {"--fails"}
        wrong += [f"{page.name}: {word}" for word in sorted(told - known)]
    assert wrong == []


def test_commands_that_the_pages_speak_of_exist() -> None:
    wrong = []
    for page in (*pages(), ROOT / "README.md"):
        text = page.read_text(encoding="utf-8")
        told = set(re.findall(r"(?:^\$ |`)layerscope ([a-z]+)", text, re.MULTILINE))
        wrong += [f"{page.name}: layerscope {word}" for word in sorted(told - set(commands()))]
    assert wrong == []


def test_every_page_is_reached_from_the_first() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^[a-z/-]+$", index, re.MULTILINE))
    names = {page.relative_to(DOCS).with_suffix("").as_posix() for page in pages()}
    assert names - {"index"} == listed & names
    assert names - {"index"} <= listed


def test_pictures_that_the_pages_show_are_there() -> None:
    for page in (*pages(), ROOT / "README.md"):
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name}: {target}"


def test_no_page_fetches_anything_or_names_a_place_of_one_machine() -> None:
    for page in (*pages(), DOCS / "conf.py", ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(?:home|root|work|Users|tmp)/", text), page.name
        assert "index-url" not in text, page.name


def test_the_readme_is_taken_apart_into_its_commands() -> None:
    page = "\n".join(
        [
            "```console",
            "$ layerscope layers a.keras \\",
            "    --json",
            "one",
            "two",
            "$ make demo",
            "```",
            "text",
            "```python",
            "print(1)",
            "```",
            "```text",
            "$ not run",
            "```",
            "",
        ]
    )
    first, second, third = steps(page)
    assert first == Step("layerscope layers a.keras      --json", shown=("one", "two"))
    assert (first.elsewhere, second.elsewhere, third.elsewhere) == (False, True, False)
    assert third == Step("print(1)\n", python=True)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (["a line", "another"], None),
        (["another"], None),
        (["a …", "…", "third 3.5"], None),
        (["another", "a line"], "a line"),
        (["a lin"], "a lin"),
        (["third 345"], "third 345"),
        (["", "missing"], "missing"),
    ],
)
def test_output_is_compared_line_by_line(shown: list[str], expected: str | None) -> None:
    assert missing(shown, "a line  \nanother\nthird 3.5\n") == expected
