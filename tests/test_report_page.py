"""The page of ``view``: complete, harmless, and no larger than it may be."""

import copy
import hashlib
import io
import json
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layerscope.activation import Activation
from layerscope.faces.report import render_report
from layerscope.faces.report.layer import summary_of
from layerscope.faces.report.text import spans
from layerscope.models import open_model
from layerscope.render import draw

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

    def data(self) -> dict[str, Any]:
        return {
            found["id"]: json.loads(text)
            for found, text in self.scripts
            if found.get("type") == "application/json"
        }


@pytest.fixture(scope="module")
def content() -> tuple[dict[str, Any], dict[str, bytes]]:
    """A manifest and its pictures: two inputs through a network with branches and a shortcut."""
    import keras

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
    network.get_layer("stem").kernel.assign(
        np.where(np.arange(8) == 5, -1.0, network.get_layer("stem").kernel.numpy())
    )
    model = open_model(network)
    fed = np.random.default_rng(1).random((2, 24, 24, 3), np.float32)
    outputs = model.run({"picture": fed}, [node.name for node in model.graph])
    nodes, files = [], {}
    for node in model.graph:
        seen = Activation(outputs[node.name], node.axes, node)
        pictures = []
        for k in range(2):
            file = f"maps/{node.index:03d}_{node.name}__{k}.png"
            figure = draw(seen, sample=k)
            files[file] = figure.png()
            pictures.append(figure.as_json(file, k))
        nodes.append({**node.as_json(), "statistics": seen.stats().as_json(), "pictures": pictures})
    manifest = {
        "layerscope": "0",
        "model": {"file": "/models/small.keras", "format": "keras", "framework": "keras 3",
                  "sha256": "ab" * 32},
        "inputs": [
            {"name": "picture", "file": f"cat{k}.jpg", "shape": [1, 24, 24, 3], "axes": "NHWC",
             "steps": [f"decoded JPEG {k}", "divided by 255"]}
            for k in range(2)
        ],
        "nodes": nodes,
        "findings": [
            {"level": "warning", "code": "dead-channels", "node": "stem",
             "message": "a channel is 0 everywhere", "remedy": "train longer"},
            {"level": "note", "code": "general", "node": None, "message": "all well",
             "remedy": None},
        ],
    }  # fmt: skip
    return json.loads(json.dumps(manifest)), files


PREVIEWS = [np.full((24, 24, 3), 200, np.uint8), np.arange(576, dtype=np.uint8).reshape(24, 24)]
SAID = [[("cat", 0.75), ("dog", 0.25)], [("dog", 0.875)]]


@pytest.fixture(scope="module")
def page(content: tuple[dict[str, Any], dict[str, bytes]]) -> str:
    manifest, files = content
    return render_report(
        manifest,
        files.__getitem__,
        previews=PREVIEWS,
        labels=["first cat", "second cat"],
        predictions=SAID,
        note="A remark.",
    )


def test_every_layer_is_told_in_order(
    content: tuple[dict[str, Any], dict[str, bytes]], page: str
) -> None:
    told = Page(page).texts["article"]
    nodes = {node["name"]: node for node in content[0]["nodes"]}
    # Branches one after the other, each from fork to join.
    order = ["stem", "left", "reduce", "wide", "mix", "inside", "sum", "pool", "classes"]
    assert set(order) == set(nodes)
    for text, name in zip(told, order, strict=True):
        node = nodes[name]
        words = re.sub(r"\s+", " ", text)
        assert words.startswith(f" {node['index']} {name} {node['type']}")
        for figure in ("min", "mean", "max"):
            value = f"{node['statistics'][figure]:.4g}".replace("-", "−")
            assert f"{figure}{value}" in words
        if node["parameters"]:
            assert f"parameters{node['parameters']:,}" in words
    assert "Conv2D 8, 3×3, stride 2, relu, padding same" in re.sub(r"\s+", " ", told[0])
    assert "shapebatch ?, height 12, width 12, channel 8" in told[0].replace("\u00a0", " ")
    assert "dead channels1 of 8: 5" in told[0]
    assert "a channel is 0 everywhere train longer dead-channels" in told[0]
    assert "all well" not in "".join(told)


def test_origins_are_told_where_they_are_not_plain(page: str) -> None:
    origins = dict(
        re.findall(r'<article class="layer" id="layer-(\d+)".*?</h3>\n(.*?)<dl>', page, re.S)
    )
    told = {int(k): re.sub(r"<[^>]*>|\n", "", v) for k, v in origins.items()}
    places = {name: i for i, name in enumerate(json.loads(
        re.search(r'id="manifest">(.*?)</script>', page)[1]  # type: ignore[index]
    )["nodes"]) for name in [name["name"]]}  # fmt: skip
    assert told[places["stem"]] == "from picture"
    assert told[places["mix"]] == "from left, wide"
    assert told[places["sum"]] == "from inside; shortcut from mix"
    assert {told[places[n]] for n in ("left", "reduce", "wide", "inside", "pool")} == {""}


def test_branches_stand_side_by_side(page: str) -> None:
    parsed = Page(page)
    assert len(parsed.all("div", **{"class": "branches"})) == 1
    assert parsed.texts["h4"] == ["branch 1 of 2 from stem", "branch 2 of 2 from stem"]


def test_the_top_tells_of_the_model_and_of_each_input(page: str) -> None:
    parsed = Page(page)
    assert parsed.texts["h1"] == ["small.keras"]
    assert parsed.texts["title"] == ["small.keras – layerscope"]
    (top,) = parsed.texts["header"]
    for said in ("A remark.", "/models/small.keras", "ab" * 32, "over all 2 inputs"):
        assert said in top
    assert parsed.texts["h2"][:3] == ["first cat", "second cat", "2 findings"]
    assert parsed.texts["ol"][1:3] == [
        "decoded JPEG 0divided by 255",
        "decoded JPEG 1divided by 255",
    ]
    assert list(parsed.texts["table"]) == [
        "prediction cat0.75\ndog0.25\n",
        "prediction dog0.875\n",
    ]
    assert parsed.texts["option"] == ["first cat", "second cat"]
    sections = [found for found in parsed.all("section") if "data-sample" in found]
    assert ["hidden" in found for found in sections] == [False, True]


def test_the_inputs_are_shown_as_they_were_fed(page: str) -> None:
    seen = [
        b64decode(found["src"].partition(",")[2])
        for found in Page(page).all("img")
        if found["src"].startswith("data:image/png")
    ]
    for picture, preview in zip(seen, PREVIEWS, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture))), preview)


def test_the_pictures_in_the_page_are_the_files(
    content: tuple[dict[str, Any], dict[str, bytes]], page: str
) -> None:
    manifest, files = content
    parsed = Page(page)
    held = parsed.data()
    for i, node in enumerate(manifest["nodes"]):
        for k, picture in enumerate(node["pictures"]):
            payload = held[f"picture-{i}-{k}"]
            assert b64decode(payload["base64"], validate=True) == files[picture["file"]]
            assert payload["kind"] == "image/png"
            (image,) = parsed.all("img", **{"data-picture": f"{i}-{k}"})
            size = Image.open(io.BytesIO(files[picture["file"]])).size
            assert (int(image["width"]), int(image["height"])) == size
    assert len(held) == 1 + len(files)
    bare = copy.deepcopy(manifest)
    for node in bare["nodes"]:
        for picture in node["pictures"]:
            del picture["tiles"]
    assert held["manifest"] == bare


def test_every_link_leads_somewhere(
    content: tuple[dict[str, Any], dict[str, bytes]], page: str
) -> None:
    parsed = Page(page)
    ids = [found["id"] for _, found in parsed.elements if "id" in found]
    assert len(ids) == len(set(ids))
    links = {found["href"] for found in parsed.all("a")}
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert {link for link in links if not link.startswith("#")} == {f"./{f}" for f in content[1]}


def check_harmless(page: str) -> None:
    """Nothing in the page runs or loads but the one script, which its policy names."""
    page.encode()
    parsed = Page(page)
    running = [text for found, text in parsed.scripts if found.get("type") != "application/json"]
    assert len(running) == 1
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
        if found.get("type") == "application/json":
            assert not set(text) & set("<>&\u2028\u2029")


def test_the_page_is_harmless(page: str) -> None:
    check_harmless(page)
    assert "innerHTML" not in page


def test_hostile_names_are_text(content: tuple[dict[str, Any], dict[str, bytes]]) -> None:
    manifest, files = copy.deepcopy(content)
    manifest["model"] = {**dict.fromkeys(manifest["model"], EVIL), "notes": [EVIL]}
    for record in manifest["inputs"]:
        record |= {"name": EVIL, "file": EVIL, "steps": [EVIL], "axes": EVIL}
    for node in manifest["nodes"]:
        node |= {"name": EVIL + node["name"], "type": EVIL, "layer": EVIL, "summary": EVIL}
        node["inputs"] = [EVIL + name for name in node["inputs"]]
        node["axes"] = EVIL
        for picture in node["pictures"]:
            name = f"maps/{EVIL}{picture['file']}"
            files[name] = files[picture["file"]]
            picture |= {"file": name, "colormap": EVIL, "scale": EVIL}
    manifest["findings"] = [
        {"level": EVIL, "code": EVIL, "node": manifest["nodes"][0]["name"], "message": EVIL,
         "remedy": EVIL}
    ]  # fmt: skip
    page = render_report(
        manifest,
        files.__getitem__,
        previews=[None, None],
        labels=[EVIL, EVIL],
        predictions=[[(EVIL, 0.5)]] * 2,
        note=EVIL,
    )
    check_harmless(page)
    parsed = Page(page)
    names = [h.split(" ", 1)[1] for h in parsed.texts["h3"]]
    assert sorted(names) == sorted(
        f"{SEEN}{node['name'].removeprefix(EVIL)} {SEEN} {SEEN}"
        + (f", padding {p}" if isinstance(p := node["operation"].get("padding"), str) else "")
        for node in manifest["nodes"]
    )
    assert parsed.texts["option"] == [SEEN, SEEN]
    assert parsed.data()["manifest"]["model"]["file"] == EVIL


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_limit_is_kept_and_what_is_missing_is_said(
    content: tuple[dict[str, Any], dict[str, bytes]], page: str, share: float
) -> None:
    manifest, files = content
    limit = int(len(page.encode()) * (0.4 + 0.6 * share))
    small = render_report(
        manifest,
        files.__getitem__,
        previews=PREVIEWS,
        labels=["first cat", "second cat"],
        predictions=SAID,
        limit=limit,
    )
    assert len(small.encode()) <= limit
    parsed = Page(small)
    held = parsed.data()
    missing = cut = 0
    captions = [text for text in parsed.texts["figcaption"] if "as the network" not in text]
    shown = iter(captions)
    articles = re.findall(r'id="layer-(\d+)"', small)
    for place in map(int, articles):
        for k, picture in enumerate(manifest["nodes"][place]["pictures"]):
            said, payload = next(shown), held.get(f"picture-{place}-{k}")
            assert picture["file"] in said
            if payload is None:
                missing += 1
                assert said.startswith("Left out of this page.")
                continue
            content_ = b64decode(payload["base64"])
            if content_ == files[picture["file"]]:
                assert " shown: " not in said
                continue
            part = np.asarray(Image.open(io.BytesIO(content_)))
            whole = np.asarray(Image.open(io.BytesIO(files[picture["file"]])))
            np.testing.assert_array_equal(part, whole[: len(part)])
            channels = sorted(
                {t["channel"] for t in picture["tiles"]
                 if t["top"] + t["height"] * picture["zoom"] <= len(part)}
            )  # fmt: skip
            total = len({tile["channel"] for tile in picture["tiles"]})
            if len(channels) == total:
                assert " shown: " not in said
                continue
            cut += 1
            assert f"{len(channels)} of {total} channels shown: {spans(channels)}." in said
    assert missing + cut > 0
    (top,) = parsed.texts["header"]
    for number, words in ((cut, "cut short"), (missing, "left out")):
        assert (f"{number} picture{'' if number == 1 else 's'} {words}" in top) == (number > 0)
    assert "--report-limit" in top


def test_the_text_is_kept_even_beyond_the_limit(
    content: tuple[dict[str, Any], dict[str, bytes]],
) -> None:
    manifest, files = content
    page = render_report(
        manifest, files.__getitem__, previews=[None, None], labels=["a", "b"], limit=10
    )
    parsed = Page(page)
    assert len(parsed.texts["article"]) == 9
    assert list(parsed.data()) == ["manifest"]


def test_a_run_without_pictures_or_inputs() -> None:
    node = {
        "index": 0, "name": "x", "layer": "x", "type": "Thing", "operation": {"kind": "new"},
        "inputs": [], "shape": [None, 3], "axes": "N?", "parameters": 0,
    }  # fmt: skip
    manifest = {
        "layerscope": "0",
        "model": {"file": None, "format": "keras", "framework": "keras", "sha256": None},
        "inputs": [],
        "nodes": [node],
        "findings": [],
    }
    page = render_report(manifest, dict[str, bytes]().__getitem__, previews=[], labels=[])
    check_harmless(page)
    assert Page(page).texts["h1"] == ["a model in memory"]
    empty = render_report(
        {**manifest, "nodes": []}, dict[str, bytes]().__getitem__, previews=[], labels=[]
    )
    check_harmless(empty)


def test_what_was_decided_at_opening_is_on_the_page(
    content: tuple[dict[str, Any], dict[str, bytes]],
) -> None:
    manifest, files = content
    model = {**manifest["model"], "notes": ["kernels turned", "a: padding 1+0"]}
    page = render_report(
        {**manifest, "model": model}, files.__getitem__, previews=[None, None], labels=["a", "b"]
    )
    parsed = Page(page)
    assert len(parsed.all("ul", **{"class": "opened"})) == 1
    assert [item for item in parsed.texts["li"] if item in model["notes"]] == model["notes"]


def test_large_previews_are_reduced_and_that_is_said(
    content: tuple[dict[str, Any], dict[str, bytes]],
) -> None:
    manifest, files = content
    large = np.zeros((1000, 400, 1), np.uint8)
    large[::2] = 100
    page = render_report(
        manifest, files.__getitem__, previews=[large, None], labels=["a", "b"], limit=0
    )
    parsed = Page(page)
    (image,) = (i for i in parsed.all("img") if i["src"].startswith("data:image/png"))
    seen = np.asarray(Image.open(io.BytesIO(b64decode(image["src"].partition(",")[2]))))
    np.testing.assert_array_equal(seen, np.full((500, 200), 50))
    assert (
        "as the network saw it, 400×1000, drawn at 1/2 of its size" in parsed.texts["figcaption"][0]
    )


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
