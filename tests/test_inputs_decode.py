"""Pictures are decoded exactly, whatever they are called, and every step is told."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
from PIL import Image

from layerscope.axes import Axes
from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.inputs import Batch, Preprocessing, prepare
from layerscope.operations import Input


def node(channels: int | None = 3) -> Node:
    """An input that takes pictures of any size."""
    shape = (None, None, None, channels)
    return Node("image", None, "image", "InputLayer", Input(), (), shape, Axes.parse("NHWC"))


def read(path: Path, channels: int | None = 3, **asked: Any) -> Batch:
    asked.setdefault("range", "as-is")
    return next(prepare(path, [node(channels)], Preprocessing(**asked)).batches(1))


def values(path: Path, channels: int | None = 3) -> np.ndarray[Any, Any]:
    return np.asarray(read(path, channels).feeds["image"][0])


def steps(path: Path, channels: int | None = 3) -> tuple[str, ...]:
    return read(path, channels).records[0][0].steps


@pytest.fixture
def rgb() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("suffix", "name", "options"),
    [
        ("png", "PNG", {}),
        ("bmp", "BMP", {}),
        ("tiff", "TIFF", {}),
        ("ppm", "PPM", {}),
        ("webp", "WebP", {"lossless": True}),
        ("jp2", "JPEG 2000", {"irreversible": False}),
    ],
)
def test_lossless_formats_keep_every_value(
    tmp_path: Path, rgb: np.ndarray[Any, Any], suffix: str, name: str, options: dict[str, Any]
) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(rgb).save(path, **options)
    assert np.array_equal(values(path), rgb)
    assert steps(path)[0] == f"decoded {name} 8×6 RGB"


def test_content_decides_and_not_the_suffix(tmp_path: Path, rgb: np.ndarray[Any, Any]) -> None:
    path = tmp_path / "really.jpg"
    Image.fromarray(rgb).save(path, format="PNG")
    assert np.array_equal(values(path), rgb)
    assert steps(path)[0] == "decoded PNG 8×6 RGB"


def test_jpeg_is_what_pillow_decodes(tmp_path: Path, rgb: np.ndarray[Any, Any]) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(rgb).save(path)
    with Image.open(path) as image:
        assert np.array_equal(values(path), np.asarray(image))
    assert steps(path) == (
        "decoded JPEG 8×6 RGB",
        "kept its own size 8×6 (the network takes any)",
        "values kept as they are (asked for)",
    )


# The value of the pixel that must end up at the top left, for a picture of rows 0 1 2 / 3 4 5.
UPRIGHT = {
    2: ([[2, 1, 0], [5, 4, 3]], "mirrored left to right"),
    3: ([[5, 4, 3], [2, 1, 0]], "rotated 180°"),
    4: ([[3, 4, 5], [0, 1, 2]], "mirrored top to bottom"),
    5: ([[0, 3], [1, 4], [2, 5]], "mirrored along its diagonal"),
    6: ([[3, 0], [4, 1], [5, 2]], "rotated 90° clockwise"),
    7: ([[5, 2], [4, 1], [3, 0]], "mirrored along its other diagonal"),
    8: ([[2, 5], [1, 4], [0, 3]], "rotated 90° anticlockwise"),
}


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    stored = np.array([[0, 1, 2], [3, 4, 5]], np.uint8) * 40
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(
        path, exif=exif, **({"lossless": True} if suffix == "webp" else {})
    )
    expected, words = UPRIGHT[orientation]
    assert np.array_equal(values(path, 1)[..., 0], np.array(expected) * 40)
    assert f"{words} by its EXIF orientation" in steps(path, 1)


def test_exif_orientation_of_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    stored = np.zeros((16, 32), np.uint8)
    stored[:, 16:] = 255  # the right half is white; upright, that is the lower half
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(path, exif=exif, quality=100)
    seen = values(path, 1)[..., 0]
    assert seen.shape == (32, 16)
    assert (seen[:16] == 0).all()
    assert (seen[16:] == 255).all()


def test_a_damaged_exif_block_does_not_matter(tmp_path: Path, rgb: np.ndarray[Any, Any]) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(rgb).save(path, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert values(path).shape == (6, 8, 3)


def write_deep(path: Path, stored: np.ndarray[Any, Any], **options: Any) -> None:
    height, width, channels = stored.shape
    writer = png.Writer(
        width, height, bitdepth=16, greyscale=channels < 3, alpha=channels in (2, 4), **options
    )
    with path.open("wb") as file:
        writer.write(file, stored.reshape(height, -1).tolist())


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_keep_their_precision(tmp_path: Path, channels: int, interlace: bool) -> None:
    path = tmp_path / "deep.png"
    stored = np.random.default_rng(2).integers(0, 65536, (5, 7, channels)).astype(np.uint16)
    write_deep(path, stored, interlace=interlace)
    seen = values(path, channels)
    assert np.array_equal(np.rint(seen.astype(np.float64) * 257), stored)
    assert np.array_equal(seen, stored.astype(np.float32) / np.float32(257))
    kind = "grey" if channels == 1 else "RGB"
    assert steps(path, channels)[:2] == (
        f"decoded PNG 7×5 16-bit {kind}",
        "16-bit values divided by 257",
    )


def test_sixteen_bits_with_alpha_are_composited_on_white(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    stored = np.array([[[0, 0, 0, 65535], [0, 0, 0, 0], [65535, 0, 0, 13107]]], np.uint16)
    write_deep(path, stored)
    expected = [[[0, 0, 0], [255, 255, 255], [255, 204, 204]]]  # 13107/65535 is a fifth
    assert np.allclose(values(path), expected, rtol=0, atol=1e-4)
    assert steps(path)[0] == "decoded PNG 3×1 16-bit RGBA"
    assert "composited on white (it has transparent places)" in steps(path)


def test_sixteen_bit_grey_with_alpha(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    write_deep(path, np.array([[[257, 65535], [257, 0]]], np.uint16))
    assert np.allclose(values(path, 1)[..., 0], [[1, 255]], rtol=0, atol=1e-4)


def test_a_transparent_colour_of_sixteen_bits(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    stored = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint16) * 257
    write_deep(path, stored, transparent=(257, 2 * 257, 3 * 257))
    assert np.allclose(values(path), [[[255, 255, 255], [1, 2, 4]]], rtol=0, atol=1e-4)


def test_alpha_is_composited_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    stored = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 255, 51]]], np.uint8)
    Image.fromarray(stored).save(path)
    assert np.array_equal(values(path), [[[10, 20, 30], [255, 255, 255], [204, 224, 255]]])
    assert "composited on white (it has transparent places)" in steps(path)


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path, rgb: np.ndarray[Any, Any]) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(rgb).convert("RGBA").save(path)
    assert np.array_equal(values(path), rgb)
    assert "dropped the alpha channel (opaque everywhere)" in steps(path)


def test_a_network_of_four_channels_keeps_alpha(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    stored = np.random.default_rng(3).integers(0, 256, (4, 5, 4), dtype=np.uint8)
    Image.fromarray(stored).save(path)
    assert np.array_equal(values(path, 4), stored)


def test_grey_with_alpha(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[[100, 255], [100, 0]]], np.uint8)).save(path)
    assert np.array_equal(values(path, 1)[..., 0], [[100, 255]])
    assert steps(path, 1)[0] == "decoded PNG 2×1 grey with alpha"


def test_palette(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(path)
    red, green, blue = [255, 0, 0], [0, 255, 0], [0, 0, 255]
    assert np.array_equal(values(path), [[red, green], [blue, red]])
    assert "converted palette to RGB" in steps(path)
    image.save(path, transparency=1)
    assert np.array_equal(values(path), [[red, [255] * 3], [blue, red]])


def test_bilevel(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[True, False]])).save(path)
    assert np.array_equal(values(path, 1)[..., 0], [[255, 0]])
    assert steps(path, 1)[0] == "decoded PNG 2×1 bilevel"


def test_cmyk(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    Image.new("CMYK", (2, 1), (0, 255, 255, 0)).save(path)
    assert np.array_equal(values(path), [[[255, 0, 0], [255, 0, 0]]])
    assert "converted CMYK to RGB" in steps(path)


@pytest.mark.parametrize("suffix", ["gif", "webp", "tiff"])
def test_the_first_of_several_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("white", "black", "red")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert (values(path) == 255).all()
    assert "took the first of 3 frames" in steps(path)


def test_a_tiff_of_floats_is_a_matrix_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    stored = np.array([[-1.5, 2.25], [1e6, 0.0]], np.float32)
    Image.fromarray(stored).save(path)
    batch = read(path, 1, range=None)
    assert np.array_equal(batch.feeds["image"][0, ..., 0], stored)
    assert batch.records[0][0].steps == (
        "decoded TIFF 2×2 32-bit floats",
        "taken as a matrix of numbers",
        "kept its own size 2×2 (the network takes any)",
        "values kept as they are (auto: an array)",
    )


def test_sixteen_bit_grey_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    stored = np.array([[0, 257, 65535, 1000]], np.uint16)
    Image.fromarray(stored).save(path)
    assert np.array_equal(values(path, 1)[..., 0], stored.astype(np.float32) / np.float32(257))


def test_a_picture_open_in_pillow(rgb: np.ndarray[Any, Any]) -> None:
    batch = next(prepare(Image.fromarray(rgb), [node()], Preprocessing(range="as-is")).batches(1))
    assert np.array_equal(batch.feeds["image"][0], rgb)
    assert batch.labels == ("picture",)


def test_real_pictures_decode_as_in_pillow(material: Path) -> None:
    for path in sorted((material / "images" / "photos").iterdir()):
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB"))
        assert np.array_equal(values(path), expected), path.name


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
@pytest.mark.parametrize(
    ("suffix", "name"), [("png", "PNG"), ("jpg", "JPEG"), ("gif", "GIF"), ("webp", "WebP")]
)
def test_a_cut_off_picture(tmp_path: Path, suffix: str, name: str, share: float) -> None:
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(4).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError) as caught:
        values(path)
    assert str(caught.value).startswith(f"{path} is a damaged or cut-off {name} picture (")
    assert str(caught.value).endswith("): copy or download it again")


def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    chunk = (30000).to_bytes(4, "big") + (30000).to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    signature = b"\x89PNG\r\n\x1a\n"
    header = b"IHDR" + chunk
    path.write_bytes(
        signature + len(chunk).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
        + b"\x00\x00\x00\x00IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        values(path)
    assert str(caught.value) == (
        f"{path} has 30000×30000 = 900,000,000 pixels, above the limit of 200,000,000: make it "
        "smaller, or raise max_pixels if you trust the file"
    )


def test_the_limit_of_pixels_can_be_set(tmp_path: Path, rgb: np.ndarray[Any, Any]) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(rgb).save(path)
    feed = prepare(path, [node()], max_pixels=47)
    with pytest.raises(InputError, match="8×6 = 48 pixels, above the limit of 47"):
        next(feed.batches(1))
    assert len(next(prepare(path, [node()], max_pixels=48).batches(1))) == 1


def test_a_hundred_megapixels_warn_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 10_000), 1).save(path)
    feed = prepare(path, [node(1)], Preprocessing(size=(4, 4)))
    assert (next(feed.batches(1)).feeds["image"] == 1).all()
