"""The folder that ``view`` writes: every value can be read back from its pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import layerscope as ls
from layerscope.errors import InputError
from layerscope.faces import view as view_module
from layerscope.faces.view import default_folder
from layerscope.models import Source
from networks import Command, by_keras, saved

TILE = {"channel", "top", "left", "height", "width", "vmin", "vmax", "from"}


def shown(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def decoded(indices: NDArray[np.uint8], picture: Any, tile: Any) -> NDArray[np.float64]:
    """A tile's values from nothing but the manifest's numbers and the palette's indices."""
    zoom, (first, last) = picture["zoom"], picture["levels"]
    height, width = tile["height"], tile["width"]
    rows = slice(tile["top"], tile["top"] + height * zoom)
    columns = slice(tile["left"], tile["left"] + width * zoom)
    blocks = indices[rows, columns].reshape(height, zoom, width, zoom)
    vmin, vmax = tile["vmin"], tile["vmax"]
    if vmin == vmax:
        # Hatched: no index of it stands for a value.
        assert not np.isin(blocks, np.arange(first, last + 1)).any()
        return np.full((height, width), vmin)
    corner = blocks[:, :1, :, :1]
    assert (blocks == corner).all(), "a value is not one square of one colour"
    levels = corner[:, 0, :, 0].astype(np.float64)
    assert ((levels >= first) & (levels <= last)).all()
    values: NDArray[np.float64] = vmin + (levels - first) / (last - first) * (vmax - vmin)
    return values


@pytest.fixture(scope="module")
def digits(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real classifier's view of two digits, and its layers' outputs as Keras gives them."""
    path = material / "keras" / "leyuzak_mnist_cnn.keras"
    pictures = [material / "images" / "mnist" / f"{i}.png" for i in (7, 3)]
    folder = tmp_path_factory.mktemp("digits") / "v"
    done = ls.view(path, pictures, folder)
    model = keras.saving.load_model(path)
    x = np.stack([np.asarray(Image.open(p), np.float32) / 255 for p in pictures])[..., None]
    return folder, done, by_keras(model, x)


def test_every_value_can_be_read_from_the_pictures(digits: Any) -> None:
    folder, _, arrays = digits
    seen = 0
    manifest = shown(folder)
    assert [node["name"] for node in manifest["nodes"]] == list(arrays)
    for node in manifest["nodes"]:
        array = arrays[node["name"]]
        planes = array[:, None, None] if array.ndim == 2 else array
        for sample, picture in enumerate(node["pictures"]):
            assert picture["input"] == sample
            with Image.open(folder / picture["file"]) as image:
                assert (image.format, image.mode) == ("PNG", "P")
                indices = np.asarray(image)
            assert [tile["channel"] for tile in picture["tiles"]] == list(range(array.shape[-1]))
            for tile in picture["tiles"]:
                assert set(tile) == TILE
                real = planes[sample, :, :, tile["channel"]]
                assert real.shape == (tile["height"], tile["width"])
                range_ = tile["vmax"] - tile["vmin"]
                # Float noise between two forward passes is far below a level.
                near = range_ / 255 + 1e-5 * np.abs(real).max()
                assert np.abs(decoded(indices, picture, tile) - real).max() <= near
                seen += real.size
    assert seen == sum(array.size for array in arrays.values())


def test_tiles_lie_apart_and_inside(digits: Any) -> None:
    folder, _, _ = digits
    for node in shown(folder)["nodes"]:
        picture = node["pictures"][0]
        with Image.open(folder / picture["file"]) as image:
            taken = np.zeros((image.height, image.width), np.int8)
        zoom = picture["zoom"]
        for tile in picture["tiles"]:
            bottom = tile["top"] + tile["height"] * zoom
            right = tile["left"] + tile["width"] * zoom
            assert bottom <= taken.shape[0]
            assert right <= taken.shape[1]
            taken[tile["top"] : bottom, tile["left"] : right] += 1
        assert taken.max() == 1, node["name"]


def test_the_files_are_the_manifest_s(digits: Any) -> None:
    folder, done, _ = digits
    manifest = shown(folder)
    assert done.folder == folder
    assert json.loads(json.dumps(done.manifest)) == manifest
    assert done.report == folder / "report.html"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("manifest.json", "maps", "report.html"),
    ]
    listed = [picture["file"] for node in manifest["nodes"] for picture in node["pictures"]]
    assert sorted(listed) == sorted(f"maps/{path.name}" for path in (folder / "maps").iterdir())
    assert listed[:3] == [
        "maps/000_conv2d_4__0_7.png",
        "maps/000_conv2d_4__1_3.png",
        "maps/001_batch_normalization_5__0_7.png",
    ]
    assert [entry["file"][-5:] for entry in manifest["inputs"]] == ["7.png", "3.png"]


def test_what_the_classifier_says(digits: Any) -> None:
    _, done, arrays = digits
    for said, scores in zip(done.predictions, arrays["dense_3"], strict=True):
        order = np.argsort(-scores)[:5]
        assert [name for name, _ in said] == [str(i) for i in order]
        assert [value for _, value in said] == pytest.approx(scores[order], abs=1e-6)
    assert done.labels == ("7.png", "3.png")
    assert [said[0][0] for said in done.predictions] == ["7", "3"]


def test_one_range_for_all_pictures_of_a_layer(digits: Any) -> None:
    folder, _, arrays = digits
    for node in shown(folder)["nodes"]:
        if arrays[node["name"]].ndim == 4:
            continue
        ranges = {
            (tile["vmin"], tile["vmax"])
            for picture in node["pictures"]
            for tile in picture["tiles"]
        }
        largest = np.abs(arrays[node["name"]]).max()
        ((vmin, vmax),) = ranges
        assert vmax == pytest.approx(largest, rel=1e-5)
        assert vmin == (0 if arrays[node["name"]].min() >= 0 else -vmax)


def test_the_screen_tells_what_was_done(
    command: Command, networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("view", networks / "small.keras", networks / "cat.png")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{networks / 'small.keras'}: Keras ")
    assert lines[1:3] == [str(networks / "cat.png"), "  decoded PNG 16×16 RGB"]
    assert lines[3].startswith("  divided by 255")
    table = lines[lines.index("") + 1 :]
    assert table[0].split() == [
        *("layer", "type", "output", "shape", "axes", "min", "mean", "max", "zeros", "dead")
    ]
    names = ("first", "pool", "flat", "scores")
    assert [line.split()[:2] for line in table[1:5]] == [[str(i), n] for i, n in enumerate(names)]
    first = ls.extract(networks / "small.keras", networks / "cat.png", 0)[0].array
    zeros = f"{100 * (first == 0).mean():.0f} %"
    figures = [f"{first.min():.4g}", f"{first.mean():.4g}", f"{first.max():.4g}"]
    assert table[1].split()[-6:-1] == [*figures, *zeros.split()]
    assert lines[-1] == "Report: layerscope-small/report.html"
    assert [path.name for path in tmp_path.iterdir()] == ["layerscope-small"]
    # Its own folder is replaced without being asked.
    assert command("view", networks / "small.keras", networks / "dog.png").status == 0
    assert shown(tmp_path / "layerscope-small")["inputs"][0]["file"] == str(networks / "dog.png")


def test_several_inputs_of_one_network(networks: Path, tmp_path: Path) -> None:
    cat, dog = networks / "cat.png", networks / "dog.png"
    done = ls.view(
        networks / "pair.keras",
        {"left": cat, "right": dog},
        tmp_path / "v",
        layers=["left", "right", "difference"],
        range="0..255",
    )
    manifest = shown(tmp_path / "v")
    assert [(e["name"], e["file"]) for e in manifest["inputs"]] == [
        ("left", str(cat)),
        ("right", str(dog)),
    ]
    files = sorted(path.name for path in (tmp_path / "v" / "maps").iterdir())
    assert files == ["000_difference.png", "left.png", "right.png"]
    one, other = (np.asarray(Image.open(path), np.float64) for path in (cat, dog))
    for node, real in zip(manifest["nodes"], (one, other, one - other), strict=True):
        (picture,) = node["pictures"]
        indices = np.asarray(Image.open(tmp_path / "v" / picture["file"]))
        for tile in picture["tiles"]:
            near = (tile["vmax"] - tile["vmin"]) / 255
            values = decoded(indices, picture, tile)
            assert np.abs(values - real[..., tile["channel"]]).max() <= near
    assert done.predictions == []


def test_drawing_options_reach_the_pictures(
    command: Command, networks: Path, tmp_path: Path
) -> None:
    done = command(
        *("view", networks / "small.keras", networks / "cat.png", "-o", tmp_path / "v"),
        *("-l", "first:pre", "--channels", "2,0", "--scale", "-3,3", "--colormap", "gray"),
        *("--zoom", "5", "--columns", "1"),
    )
    assert (done.status, done.err) == (0, "")
    (node,) = shown(tmp_path / "v")["nodes"]
    (picture,) = node["pictures"]
    assert (picture["zoom"], picture["colormap"]) == (5, "gray")
    tiles = picture["tiles"]
    assert [tile["channel"] for tile in tiles] == [2, 0]
    assert tiles[0]["left"] == tiles[1]["left"]
    assert tiles[1]["top"] >= tiles[0]["top"] + 14 * 5
    assert {(tile["vmin"], tile["vmax"]) for tile in tiles} == {(-3, 3)}
    real = ls.extract(networks / "small.keras", networks / "cat.png", "first:pre")[
        "first:pre"
    ].array
    with Image.open(tmp_path / "v" / picture["file"]) as image:
        palette = np.array(image.getpalette()).reshape(-1, 3)
        indices = np.asarray(image)
    first, last = picture["levels"]
    assert (palette[first : last + 1] == palette[first : last + 1, :1]).all()
    assert (palette[first], palette[last])[0].tolist() == [0, 0, 0]
    assert palette[last].tolist() == [255, 255, 255]
    for tile in tiles:
        values = decoded(indices, picture, tile)
        assert np.abs(values - real[0, :, :, tile["channel"]]).max() <= 6 / 255


@pytest.mark.parametrize("format", ["webp", "jpg"])
def test_other_formats(command: Command, networks: Path, tmp_path: Path, format: str) -> None:
    words = ("view", networks / "small.keras", networks / "cat.png", "-o", tmp_path / "v")
    assert command(*words, "--format", format).status == 0
    files = sorted((tmp_path / "v" / "maps").iterdir())
    assert [path.name for path in files] == [
        f"{name}.{format}" for name in ("000_first", "001_pool", "002_flat", "003_scores")
    ]
    for path in files:
        with Image.open(path) as image:
            assert image.format == {"webp": "WEBP", "jpg": "JPEG"}[format]
    assert (tmp_path / "v" / "report.html").stat().st_size > 1000


def test_channels_of_branches_say_where_they_come_from(tmp_path: Path) -> None:
    layers = keras.layers
    x = keras.Input((8, 8, 1), name="x")
    parts = [layers.Conv2D(n, 1, name=name)(x) for name, n in (("a", 2), ("b", 3))]
    model = keras.Model(x, layers.Concatenate(name="both")(parts))
    ls.view(model, np.random.default_rng(0).random((1, 8, 8, 1), np.float32), tmp_path / "v")
    both = shown(tmp_path / "v")["nodes"][-1]
    assert both["name"] == "both"
    sources = [tile["from"] for tile in both["pictures"][0]["tiles"]]
    assert sources == ["a:0", "a:1", "b:0", "b:1", "b:2"]


def test_channels_first_is_drawn_as_maps(tmp_path: Path) -> None:
    layer = keras.layers.Permute((3, 1, 2), name="first")
    pool = keras.layers.MaxPooling2D(1, data_format="channels_first", name="pool")
    model = keras.Sequential([keras.Input((5, 7, 3)), layer, pool])
    x = np.random.default_rng(1).random((1, 5, 7, 3), np.float32)
    ls.view(model, x, tmp_path / "v", layers="pool")
    (node,) = shown(tmp_path / "v")["nodes"]
    assert node["axes"] == "NCHW"
    (picture,) = node["pictures"]
    indices = np.asarray(Image.open(tmp_path / "v" / picture["file"]))
    assert len(picture["tiles"]) == 3
    for tile in picture["tiles"]:
        near = (tile["vmax"] - tile["vmin"]) / 255
        assert np.abs(decoded(indices, picture, tile) - x[0, :, :, tile["channel"]]).max() <= near


def test_nan_and_constant_channels(tmp_path: Path) -> None:
    x = np.zeros((1, 4, 4, 3), np.float32)
    x[0, :, :, 1] = 7
    x[0, :, :, 2] = np.arange(16).reshape(4, 4)
    x[0, 0, 0, 2] = np.nan
    model = keras.Sequential([keras.Input((4, 4, 3), name="x"), keras.layers.Flatten()])
    ls.view(model, x, tmp_path / "v", layers="x", allow_nan=True)
    (node,) = shown(tmp_path / "v")["nodes"]
    tiles = node["pictures"][0]["tiles"]
    assert [(tile["vmin"], tile["vmax"]) for tile in tiles] == [(0, 0), (7, 7), (0, 15)]
    assert node["statistics"]["dead"] == [0]


# Whole or not at all


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), InputError("no")])
@pytest.mark.parametrize("where", ["render_report", "draw", "write_json"])
def test_a_failure_leaves_nothing(
    networks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    error: BaseException,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(view_module, where, fail)
    with pytest.raises(type(error)):
        ls.view(networks / "small.keras", networks / "cat.png", tmp_path / "v")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_view_before(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ls.view(networks / "small.keras", networks / "cat.png", tmp_path / "v")
    before = {p: p.read_bytes() for p in (tmp_path / "v").rglob("*") if p.is_file()}

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(view_module, "render_report", fail)
    with pytest.raises(RuntimeError):
        ls.view(networks / "small.keras", networks / "dog.png", tmp_path / "v")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_more_than_memory_holds_is_refused(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # first, pool, flat and scores have 14·14·4 + 2·7·7·4 + 3 = 1179 values of 4 bytes.
    monkeypatch.setattr(view_module, "_MOST_BYTES", 3 * 4 * 1179)
    pictures = [networks / "cat.png"] * 4
    with pytest.raises(InputError) as caught:
        ls.view(networks / "small.keras", pictures, tmp_path / "v")
    assert str(caught.value) == (
        "4 inputs through 4 layers give 0 GiB of maps. Give at most 3 inputs at once, or choose "
        "layers with -l; `layerscope extract` writes any number."
    )
    assert len(ls.view(networks / "small.keras", pictures[:3], tmp_path / "v").labels) == 3


def test_batches_are_joined_in_order(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((1, 1, 1), name="x"), keras.layers.Flatten(name="f")])
    x = np.arange(1, 71, dtype=np.float32).reshape(70, 1, 1, 1)
    ls.view(model, x, tmp_path / "v", layers="f", scale="0,70")
    (node,) = shown(tmp_path / "v")["nodes"]
    assert len(node["pictures"]) == 70
    for sample, picture in enumerate(node["pictures"]):
        indices = np.asarray(Image.open(tmp_path / "v" / picture["file"]))
        (tile,) = picture["tiles"]
        if tile["vmin"] != tile["vmax"]:
            assert abs(decoded(indices, picture, tile)[0, 0] - (sample + 1)) <= 70 / 255


def test_the_folder_is_named_after_the_model() -> None:
    assert default_folder(Source("cats", None, "live", "")) == Path("layerscope-cats")
    assert default_folder(Source("a/../b c", None, "live", "")) == Path("layerscope-a-..-b_c")


def test_a_view_moves_with_its_folder(networks: Path, tmp_path: Path) -> None:
    """Every file that the manifest names lies in the folder itself."""
    path = saved(keras.saving.load_model(networks / "small.keras"), tmp_path / "m.keras")
    ls.view(path, networks / "cat.png", tmp_path / "v")
    shutil.move(tmp_path / "v", tmp_path / "w")
    for node in shown(tmp_path / "w")["nodes"]:
        for picture in node["pictures"]:
            assert not Path(picture["file"]).is_absolute()
            assert (tmp_path / "w" / picture["file"]).is_file()
