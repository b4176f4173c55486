"""The page of ``view``: complete, harmless, and no larger than it may be."""

from __future__ import annotations

import hashlib
import json
import re
import string
import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from layerscope.faces.explorer.answers.container import pack, unpack
from layerscope.faces.explorer.report.page import Contents, render_report
from layerscope.faces.explorer.report.plain_layer import summary_of
from layerscope.faces.explorer.report.room import cut, deflated, shares

EVIL = (
    '</script><script>alert(1)</script><img src=x onerror="alert(2)">\u202e\u2028\'&amp;\x00\ud800'
)
SEEN = EVIL.replace("\u202e", "").replace("\x00\ud800", "")


class Page(HTMLParser):
    """A page as elements: (tag, attributes) in order, and the text in each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.scripts: list[tuple[dict[str, str], str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag not in ("meta", "img", "input", "rect"):
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")
        if tag == "script":
            self.scripts.append((found, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data
        if self._open and self._open[-1] == "script":
            found, text = self.scripts[-1]
            self.scripts[-1] = found, text + data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in wanted.items())
        ]

    def held(self) -> dict[str, bytes]:
        """What lies in the page under an address."""
        return {
            found["data-layerscope"]: zlib.decompress(b64decode(text, validate=True))
            for found, text in self.scripts
            if "data-layerscope" in found
        }

    def manifest(self) -> Any:
        return json.loads(self.held()["manifest"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two inputs through a network with branches, a shortcut and a dead channel."""
    keras.utils.set_random_seed(4)
    layers = keras.layers
    start = keras.Input((24, 24, 3), name="picture")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="stem")(start)
    left = layers.Conv2D(4, 1, activation="relu", name="left")(x)
    right = layers.Conv2D(4, 1, name="reduce")(x)
    right = layers.Conv2D(6, 3, padding="same", name="wide")(right)
    x = layers.Concatenate(name="mix")([left, right])
    y = layers.Conv2D(10, 3, padding="same", name="inside")(x)
    x = layers.Add(name="sum")([x, y])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    network = keras.Model(start, layers.Dense(3, activation="softmax", name="classes")(x))
    kernel = network.get_layer("stem").kernel
    kernel.assign(np.where(np.arange(8) == 5, -1.0, kernel.numpy()))
    fed = np.random.default_rng(1).random((2, 24, 24, 3), np.float32)
    target = tmp_path_factory.mktemp("report") / "out"
    ls.view(network, fed, target, zoom=1)
    return target


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_holds_every_answer_of_a_server(folder: Path, page: str) -> None:
    held = Page(page).held()
    manifest = json.loads(held["manifest"])
    names = [node["name"] for node in (*manifest["inputs"], *manifest["nodes"])]
    described = json.loads((folder / "manifest.json").read_text())
    assert names == ["picture", *(node["name"] for node in described["nodes"])]
    assert len(names) == 10
    assert [run["id"] for run in manifest["runs"]] == ["r0", "r1"]
    assert set(manifest["can"].values()) == {False}
    assert set(held) == {"manifest"} | {
        f"runs/{run}/{part}"
        for run in ("r0", "r1")
        for part in (
            "preview", "statistics", "thumbnails", *(f"layers/{i}" for i in range(len(names))),
        )
    }  # fmt: skip
    for run in ("r0", "r1"):
        header, sections = unpack(held[f"runs/{run}/statistics"])
        assert len(sections["layers"]) == len(header["offsets"]) == len(names)
        assert len(unpack(held[f"runs/{run}/thumbnails"])[0]["tiles"]) == len(names)
        assert unpack(held[f"runs/{run}/preview"])[1]["rgb"].shape == (24, 24, 3)


def test_the_maps_in_the_page_are_those_of_the_files(folder: Path, page: str) -> None:
    described = json.loads((folder / "manifest.json").read_text())
    held = Page(page).held()
    told = json.loads(held["manifest"])["nodes"]
    for number, node in enumerate(described["nodes"], start=1):
        for k, picture in enumerate(node["pictures"]):
            assert told[number - 1]["pictures"][k] == {"run": f"r{k}", "file": picture["file"]}
            pixels = np.asarray(Image.open(folder / picture["file"]))
            _, sections = unpack(held[f"runs/r{k}/layers/{number}"])
            for tile in picture["tiles"]:
                top, left = tile["top"], tile["left"]
                shown = pixels[top : top + tile["height"], left : left + tile["width"]]
                if node["name"] not in ("pool", "classes"):  # drawn larger than a pixel a value
                    assert np.array_equal(shown, sections["entries"][tile["channel"], 0])
                assert sections["lo"][tile["channel"]] == np.float32(tile["vmin"])
                assert sections["hi"][tile["channel"]] == np.float32(tile["vmax"])


def test_without_scripts_every_layer_is_told_in_order(folder: Path, page: str) -> None:
    nodes = json.loads((folder / "manifest.json").read_text())["nodes"]
    told = Page(page).texts["article"]
    for text, node in zip(told, nodes, strict=True):
        words = re.sub(r"\s+", " ", text)
        assert words.startswith(f" {node['index']} {node['name']} {node['type']}")
        for figure in ("min", "mean", "max"):
            value = f"{node['statistics'][figure]:.4g}".replace("-", "−")
            assert f"{figure}{value}" in words
        if node["parameters"]:
            assert f"parameters{node['parameters']:,}" in words
    assert "Conv2D 8, 3×3, stride 2, relu, padding same" in re.sub(r"\s+", " ", told[0])
    assert "shapebatch ?, height 12, width 12, channel 8" in told[0].replace("\u00a0", " ")
    assert "dead channels1 of 8: 5" in told[0]
    said = {node["name"]: text for node, text in zip(nodes, told, strict=True)}
    assert "from left, wide" in said["mix"]
    assert "from mix, inside" in said["sum"]
    assert "from" not in said["pool"]
    # Of the two that stem feeds, one does not stand right behind it.
    assert ("from stem" in said["left"]) != ("from stem" in said["reduce"])


def test_every_link_leads_somewhere(folder: Path, page: str) -> None:
    parsed = Page(page)
    ids = [found["id"] for _, found in parsed.elements if "id" in found]
    assert len(ids) == len(set(ids))
    links = {found["href"] for found in parsed.all("a")}
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    files = {path.relative_to(folder).as_posix() for path in (folder / "maps").iterdir()}
    others = {unquote(link) for link in links if not link.startswith("#")}
    assert others == {f"./{file}" for file in files}


def contents(**changes: Any) -> Contents:
    """A small run: a layer of noise and one of zeros, told by hand."""
    random = np.random.default_rng(2)
    held = {}
    for number, entries in enumerate(
        (random.integers(0, 241, (40, 1, 30, 30), np.uint8), np.zeros((9, 1, 20, 20), np.uint8))
    ):
        ends = {"lo": np.zeros(len(entries), np.float32), "hi": np.ones(len(entries), np.float32)}
        header = {"groups": [{"label": "a", "start": 0, "stop": 4, "from": "a"},
                             {"label": "b", "start": 4, "stop": 40, "from": "b"}],
                  "constant": [1, 39], "left_out": None}  # fmt: skip
        held[f"runs/r0/layers/{number}"] = deflated(pack(header, {"entries": entries, **ends}))
    node = {
        "index": 0, "name": "x", "layer": "x", "type": "Thing", "operation": {"kind": "new"},
        "inputs": [], "shape": [None, 3], "axes": "N?", "parameters": 7,
        "pictures": [{"file": "maps/000_x.png"}],
    }  # fmt: skip
    described = {
        "layerscope": "0",
        "model": {"file": "/models/small.keras", "format": "keras", "framework": "keras 3",
                  "sha256": "ab" * 32, "notes": ["kernels turned", "a: padding 1+0"]},
        "inputs": [{"name": "picture", "file": "cat.jpg", "shape": [1, 24, 24, 3], "axes": "NHWC",
                    "steps": ["decoded JPEG", "divided by 255"]}],
        "nodes": [node],
        "findings": [
            {"level": "warning", "code": "dead-channels", "node": "x",
             "message": "a channel is 0 everywhere", "remedy": "train longer"},
            {"level": "note", "code": "general", "node": None, "message": "all well",
             "remedy": None},
        ],
    }  # fmt: skip
    made = Contents(
        described, {"runs": []}, {"runs/r0/preview": pack({}, {})}, held, ["a cat"],
        [[("cat", 0.75), ("dog", 0.25)]],
    )  # fmt: skip
    return replace(made, **changes)


def rendered(made: Contents, limit: int = 30_000_000) -> str:
    return render_report(made, limit).decode("utf-8")


def test_the_top_tells_of_the_model_and_of_each_input() -> None:
    parsed = Page(rendered(contents()))
    assert parsed.texts["h1"] == ["small.keras"]
    assert parsed.texts["title"] == ["small.keras – layerscope"]
    (text,) = parsed.texts["noscript"][1:]
    for said in ("/models/small.keras", "ab" * 32, "decoded JPEG", "prediction cat0.75"):
        assert said in text
    assert parsed.texts["h2"] == ["a cat", "2 findings"]
    # What was decided as the model was opened.
    assert parsed.texts["ul"] == ["kernels turneda: padding 1+0"]
    assert parsed.texts["details"] == ["1 note\nnote all well general\n"]
    (told,) = parsed.texts["article"]
    assert "a channel is 0 everywhere train longer dead-channels" in told
    assert "all well" not in told


def check_harmless(page: str) -> None:
    """Nothing in the page runs or loads but the one script, which its policy names."""
    page.encode()
    parsed = Page(page)
    kinds = [found["type"] for found, _ in parsed.scripts]
    assert kinds[:-1] == ["application/octet-stream"] * (len(kinds) - 1)
    assert kinds[-1] == "module"  # an inline one: others do not load from disk
    running = [parsed.scripts[-1][1]]
    assert not parsed.all("script", src="")
    digest = b64encode(hashlib.sha256(running[0].encode()).digest()).decode()
    (policy,) = (m["content"] for m in parsed.all("meta") if "http-equiv" in m)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "blob: data:"
    styles = [
        b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in parsed.texts["style"]
    ]
    assert rules["style-src"] == " ".join(f"'sha256-{style}'" for style in styles)
    for tag, found in parsed.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") or name == "style" for name in found)
        assert found.get("src", "data:image/").startswith("data:image/")
        assert found.get("href", "#").startswith(("#", "./"))
    for found, text in parsed.scripts:
        if found.get("type") == "application/octet-stream":
            assert set(text) <= set(string.ascii_letters + string.digits + "+/=")


def test_the_page_is_harmless(page: str) -> None:
    check_harmless(page)


def test_hostile_names_are_text() -> None:
    made = contents()
    described = dict(made.described)
    described["model"] = {**dict.fromkeys(described["model"], EVIL), "notes": [EVIL]}
    described["inputs"] = [
        {**record, "name": EVIL, "file": EVIL, "steps": [EVIL], "axes": EVIL}
        for record in described["inputs"]
    ]
    described["nodes"] = [
        {**node, "name": EVIL, "type": EVIL, "summary": EVIL, "inputs": [EVIL + "2"],
         "axes": EVIL, "pictures": [{"file": f"maps/{EVIL}.png"}]}
        for node in described["nodes"]
    ]  # fmt: skip
    described["findings"] = [
        {"level": EVIL, "code": EVIL, "node": EVIL, "message": EVIL, "remedy": EVIL}
    ]
    page = rendered(
        replace(
            made, described=described, page={"title": EVIL}, labels=[EVIL],
            predictions=[[(EVIL, 0.5)]],
        )
    )  # fmt: skip
    check_harmless(page)
    parsed = Page(page)
    assert parsed.texts["h3"] == [f"0 {SEEN} {SEEN} {SEEN}"]
    assert parsed.texts["h2"] == [SEEN, "1 finding"]
    assert parsed.manifest()["title"] == EVIL


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_limit_is_kept_and_what_is_missing_is_said(share: float) -> None:
    made = contents()
    whole = rendered(made)
    bare = len(rendered(replace(made, layers={})).encode())
    limit = int(bare + share * (len(whole.encode()) - bare))
    page = rendered(made, limit)
    assert len(page.encode()) <= limit
    held = Page(page).held()
    _, before = unpack(zlib.decompress(made.layers["runs/r0/layers/0"]))
    header, sections = unpack(held["runs/r0/layers/0"])
    count = len(sections["lo"])
    assert 1 <= count < 40
    assert count / 40 > share - 0.2  # most of the room is used
    for name in ("entries", "lo", "hi"):
        assert np.array_equal(sections[name], before[name][:count])
    assert header["left_out"] == f"the first {count} of 40 channels are in this page"
    assert header["constant"] == [1]
    assert header["groups"][-1]["stop"] == count
    # The small layer is whole.
    assert held["runs/r0/layers/1"] == zlib.decompress(made.layers["runs/r0/layers/1"])
    said = Page(page).manifest()["left_out"]
    assert said.startswith(f"To keep this page below {limit / 1e6:,.3g} MB, 1 layer shown in part;")
    assert "layerscope serve MODEL INPUT" in said
    assert Page(whole).manifest()["left_out"].startswith("Exact numbers, ")


def test_the_text_is_kept_even_beyond_the_limit() -> None:
    parsed = Page(rendered(contents(), limit=10))
    assert len(parsed.texts["article"]) == 1
    assert list(parsed.held()) == ["manifest", "runs/r0/preview"]
    assert "2 layers left out" in parsed.manifest()["left_out"]


def test_a_layer_is_cut_to_what_fits_or_not_at_all() -> None:
    packed = contents().layers["runs/r0/layers/0"]
    for size in (2_000, 10_000, 30_000):
        found = cut(packed, size)
        assert found is not None
        assert len(found[0]) <= size
    assert cut(packed, 100) is None
    assert shares([5, 500, 50, 500], 255) == [5, 100, 50, 100]
    assert shares([5, 6], -10) == [0, 0]


def test_a_run_without_pictures_or_inputs() -> None:
    made = contents(labels=[], predictions=[], layers={}, answers={})
    described = {**made.described, "inputs": [], "nodes": [], "findings": [],
                 "model": {"file": None, "format": "keras", "framework": "keras"}}  # fmt: skip
    page = rendered(replace(made, described=described))
    check_harmless(page)
    assert Page(page).texts["h1"] == ["a model in memory"]


def test_operations_of_a_manifest_are_summed_up_without_help() -> None:
    pooling = {
        "kind": "pooling", "function": "max", "window": [3, 3], "strides": [2, 2],
        "padding": "valid", "data_format": "channels_last", "everywhere": False,
        "keepdims": False,
    }  # fmt: skip
    assert summary_of({"operation": pooling}) == "3×3, stride 2, padding valid"
    uneven = {**pooling, "padding": [[1, 0], [2, 1]]}
    assert summary_of({"operation": uneven}) == "3×3, stride 2, padding 1+0 × 2+1"
    assert summary_of({"operation": pooling, "summary": "mine"}) == "mine, padding valid"
    assert summary_of({"operation": {"kind": "unheard of", "x": 1}}) == ""
    assert summary_of({"operation": {"kind": "pooling", "x": 1}}) == ""
    assert summary_of({}) == ""
