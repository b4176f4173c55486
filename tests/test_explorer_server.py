"""The explorer's server, asked over real connections: what it answers and what it refuses."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
import zlib
from pathlib import Path
from urllib.parse import quote

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from layerscope.explain.neuron import neuron
from layerscope.faces.explorer.session import Explorer
from layerscope.models import open_model
from networks import by_keras
from serving import TOKEN, Served, decoded, serving


def png(size=(16, 16), seed=0, mode="RGB"):
    shape = (*size, len(mode)) if len(mode) > 1 else size
    held = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def served(networks: Path):
    def make(ticket):
        explorer = Explorer([open_model(str(networks / "small.keras"))])
        explorer.add([str(networks / "cat.png"), str(networks / "large.png")], ticket=ticket)
        return explorer

    with serving(make) as found:
        yield found


@pytest.fixture(scope="module")
def truth(networks: Path):
    """What Keras itself computes for the first picture."""
    model = keras.models.load_model(networks / "small.keras")
    x = np.asarray(Image.open(networks / "cat.png"), np.float32)[None] / 255
    return {"image": x, **by_keras(model, x)}


def test_the_manifest_describes_the_network_and_the_runs(served: Served) -> None:
    found = served.json("api/manifest")
    assert [model["title"] for model in found["models"]] == ["small.keras"]
    assert [node["name"] for node in found["inputs"]] == ["image"]
    assert [node["name"] for node in found["nodes"]] == ["first", "pool", "flat", "scores"]
    assert found["nodes"][0]["summary"] == "4, 3×3, relu"
    assert found["outputs"] == ["scores"]
    assert [(run["id"], run["label"]) for run in found["runs"]] == [
        ("r0", "cat.png"), ("r1", "large.png"),
    ]  # fmt: skip
    assert found["runs"][1]["original"] == {"height": 24, "width": 20}
    assert found["runs"][1]["inputs"][0]["steps"][1].startswith("resized bilinear to 16×16")
    assert len(found["runs"][0]["predictions"]) == 3
    assert found["can"] == dict.fromkeys(["run", "exact", "explain", "field", "export"], True)


def test_maps_and_numbers_are_those_that_the_framework_computes(served: Served, truth) -> None:
    for number, (name, array) in enumerate(truth.items()):
        maps = array[0].transpose(2, 0, 1) if array.ndim == 4 else array[0].reshape(-1, 1, 1)
        header, sections = served.container(f"api/runs/r0/layers/{number}")
        for channel in (0, len(maps) - 1):
            path = f"api/runs/r0/layers/{number}/channels/{channel}"
            exact = served.container(path)[1]["values"]
            np.testing.assert_allclose(exact[0], maps[channel], rtol=2e-5, atol=1e-6, err_msg=name)
            lo, hi = (float(sections[key][channel]) for key in ("lo", "hi"))
            if channel not in header["constant"]:
                shown = decoded(sections["entries"][channel, 0], lo, hi)
                np.testing.assert_allclose(shown, exact[0], atol=(hi - lo) / 479)
            height, width = maps.shape[1:]
            said = served.json(f"{path}/value?row={height - 1}&column={width - 1}")["value"]
            assert np.float32(said) == exact[0, -1, -1]


def test_statistics_are_of_every_channel(served: Served, truth) -> None:
    header, sections = served.container("api/runs/r0/statistics")
    for number, array in enumerate(truth.values()):
        flat = array.reshape(-1, array.shape[-1])
        start = header["offsets"][number]
        part = slice(start, start + flat.shape[1])
        for name, expected in (
            ("min", flat.min(0)), ("max", flat.max(0)), ("mean", flat.mean(0)),
            ("energy", np.square(flat).mean(0)), ("zeros", (flat == 0).mean(0)),
        ):  # fmt: skip
            np.testing.assert_allclose(sections[name][part], expected, rtol=2e-5, atol=1e-6)
        assert header["dead"][number] == (flat == 0).all(0).sum()


def test_the_preview_is_the_picture(served: Served, networks: Path) -> None:
    header, sections = served.container("api/runs/r1/preview")
    assert header["scale"] == 1
    picture = np.asarray(Image.open(networks / "large.png"))
    assert np.array_equal(sections["original"], picture)
    assert sections["rgb"].shape == (16, 16, 3)


def test_a_picture_reads_back_and_an_array_loads(served: Served, truth) -> None:
    answer = served.get("api/runs/r0/layers/1/picture.png?channels=2,0&zoom=3&scale=layer")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'attachment; filename="first.png"'
    figure = ls.read_figure(answer.content)
    assert [(tile.channel, figure.zoom) for tile in figure.tiles] == [(2, 3), (0, 3)]
    np.testing.assert_allclose(
        figure.values(figure.tiles[0]), truth["first"][0, ..., 2], atol=truth["first"].max() / 479
    )
    loaded = np.load(io.BytesIO(served.get("api/runs/r0/layers/1/array.npy").content))
    np.testing.assert_allclose(loaded, truth["first"], rtol=2e-5, atol=1e-6)


def test_explanations_are_those_of_the_library(served: Served, networks: Path) -> None:
    path = "api/runs/r0/layers/1/channels/2/explain"
    header, sections = served.container(path)
    e = ls.explain(str(networks / "small.keras"), str(networks / "cat.png"), "first", channel=2)
    order = np.argsort(-e.shares)
    assert (header["kind"], header["name"], header["source_name"]) == ("sum", "first", "image")
    assert header["inputs"] == order.tolist()
    np.testing.assert_allclose(header["shares"], e.shares[order])
    reach = header["reach"]
    for i, channel in enumerate(order):
        np.testing.assert_allclose(
            sections["contributions"][i, 0] / 240 * 2 * reach - reach,
            e.contributions[channel],
            atol=reach / 239,
        )
        np.testing.assert_allclose(sections["kernel"][i, 0], e.kernel[channel], rtol=1e-6)
    for name, expected in (("sum", e.sum), ("pre", e.pre_activation)):
        np.testing.assert_allclose(
            sections[name][0, 0] / 240 * 2 * reach - reach, expected, atol=reach / 239
        )
    # The input channels look as they do on the layer's own wall.
    wall = served.container("api/runs/r0/layers/0")[1]["entries"]
    assert np.array_equal(sections["maps"][:, 0], wall[order, 0])

    header, sections = served.container(f"{path}?row=3&column=5")
    one = neuron(e, (3, 5))
    order = np.argsort(-np.abs(one.sums))
    assert header["inputs"] == order.tolist()
    np.testing.assert_allclose(sections["products"].sum(axis=(1, 2, 3)), one.sums[order])
    np.testing.assert_allclose(sections["patch"][:, 0], one.patch[order])
    assert header["value"] == one.value
    assert header["total"] + header["bias"] == pytest.approx(header["pre_activation"], abs=1e-6)


def test_layers_that_are_no_sums_are_explained_too(served: Served, truth) -> None:
    path = "api/runs/r0/layers/2/channels/1/explain"
    header, sections = served.container(path)
    assert (header["kind"], header["name"], header["inputs"]) == ("pool", "pool", [[1, 1]])
    # The channel looks as it does on its own layer's wall.
    wall = served.container("api/runs/r0/layers/1")[1]["entries"]
    assert np.array_equal(sections["map0"][0], wall[1])
    assert header["text"][0] == "pool, channel 1"
    header, _ = served.container(f"{path}?row=2&column=3")
    window = truth["first"][0, 4:6, 6:8, 1]
    np.testing.assert_allclose(header["told"]["window"], window, rtol=1e-5, atol=1e-6)
    assert header["told"]["value"] == pytest.approx(window.max(), abs=1e-6)
    # One value of the flattened maps is a value of the pooled ones.
    place, channel = (3, 5), 2
    flat = (place[0] * 7 + place[1]) * 4 + channel
    header, _ = served.container(f"api/runs/r0/layers/3/channels/{flat}/explain?row=0&column=0")
    assert (header["name"], header["channel"]) == ("pool", channel)
    assert header["told"]["at"] == list(place)
    assert header["came_from"] == [
        f"flat, channel {flat}, is pool, channel {channel} at 3,5: that is explained."
    ]


def test_what_looks_wrong_is_told(served: Served, networks: Path) -> None:
    found = served.json("api/manifest")
    told = {(one["code"], one["node"]) for one in found["findings"]}
    wanted = ls.check(str(networks / "small.keras"), str(networks / "cat.png"))
    serious = {(one.code, one.node) for one in wanted if one.level != "note"}
    assert serious <= told
    assert len(found["findings"]) == len({tuple(one.values()) for one in found["findings"]})


def test_a_field_is_told_in_both_pictures(served: Served) -> None:
    found = served.json("api/runs/r1/layers/2/channels/0/field?row=2&column=3")
    assert len(found) == 1
    # A 3×3 convolution under a 2×2 pooling: from twice the place, four pixels each way.
    assert found[0]["ranges"] == [[4, 8], [6, 10]]
    assert found[0]["status"] == "exact"
    box = found[0]["picture"]  # of 24 × 20 pixels, of which the network sees 16 × 16
    assert box["top"] <= 4 * 24 / 16
    assert box["bottom"] >= 8 * 24 / 16
    assert box["left"] <= 6 * 20 / 16
    assert box["right"] >= 10 * 20 / 16
    assert served.json("api/runs/r1/layers/2/channels/0/field")[0]["ranges"] == [[0, 16]] * 2


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("api/runs/r9/preview", 404, "There is no run 'r9' (any more). Open the picture again."),
        ("api/runs/r0/layers/5", 404, "There are layers 0 to 4, but layer 5 was asked for."),
        ("api/runs/r0/layers/-1", 400, "expected a whole number from 0 for layer (a layer's place "
         "among inputs and nodes) but got '-1'."),
        ("api/runs/r0/layers/1/channels/4", 404, "'first' has channels 0 to 3, but channel 4 was "
         "asked for. Choose others."),
        ("api/runs/r0/layers/1/channels/0/value?row=14&column=0", 404, "There are 1 × 14 × 14 "
         "places, but 0, 14, 0 was asked for. Count from 0."),
        ("api/runs/r0/layers/1/channels/0/value?row=1", 400, "expected a parameter column "
         "(a column)."),
        ("api/runs/r0/layers/1/channels/0/value?row=1&row=2&column=1", 400, "expected one 'row' in "
         "the address but got several."),
        ("api/runs/r0/layers/1/channels/0/explain?row=1", 400, "expected both a row and a column, "
         "or neither."),
        ("api/runs/r0/layers/0/channels/0/explain", 404, "expected a layer to explain but image is "
         "the network's input, which nothing was made of. Convolutions and dense layers here are: "
         "first, scores."),
        ("api/runs/r0/layers/1/picture.png?zoom=9999", 422, "expected a picture of at most "
         "200,000,000 pixels but zoom 9999 gives 78,384,320,784. Choose a smaller zoom."),
        ("api/runs/..%2f..%2fetc/preview", 404, "There is nothing under this address."),
        ("static/../server.py", 404, "There is nothing under this address."),
        ("static/..%2fserver.py", 404, "There is nothing under this address."),
        ("static/index.html", 404, "There is no such file."),
        ("nothing", 404, "There is nothing under this address."),
    ],
)  # fmt: skip
def test_refusals_say_what_was_expected(served: Served, path, status, message) -> None:
    assert raw(served, f"/{TOKEN}/{path}") == (status, message)


def raw(served: Served, path: str, host: str | None = None, *lines: str, method: str = "GET"):
    """Status and message of a request whose path nothing has tidied up."""
    with socket.create_connection(("127.0.0.1", served.port), 30) as connection:
        own = f"127.0.0.1:{served.port}" if host is None else host
        head = [f"{method} {path} HTTP/1.1", *([f"Host: {own}"] if own else []), *lines]
        connection.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1"))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    text = body.decode()
    return int(head.split()[1]), json.loads(text)["message"] if text[:1] == "{" else text


PAGE = f"/{TOKEN}/api/manifest"


@pytest.mark.parametrize("path", ["/", "/api/manifest", "/a-token/api/manifest", f"/x{PAGE}",
                                  f"/{TOKEN}x/api/manifest", f"/{TOKEN.upper()}/api/manifest",
                                  f"/{TOKEN[:-1]}/", "//", f"//{PAGE}", "/%00", "/..",
                                  "*"])  # fmt: skip
def test_nothing_is_there_without_the_token(served: Served, path: str) -> None:
    status, message = raw(served, path)
    assert status == 404
    assert message.startswith("There is nothing here. Open the address as printed")


@pytest.mark.parametrize("host", ["example.org", "example.org:80", "127.0.0.1", "127.0.0.1:1", "",
                                  "localhost", "127.0.0.1.example.org", "[::1]:80"])  # fmt: skip
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    status, message = raw(served, PAGE, host)
    if not host:
        assert status == 400  # HTTP itself wants one
        return
    assert status == 403
    assert message.startswith(f"expected a request for 127.0.0.1:{served.port}.")


@pytest.mark.parametrize("origin", ["http://example.org", "null", "https://127.0.0.1:{port}",
                                    "http://127.0.0.1:1", "http://127.0.0.1:{port}.example.org",
                                    "file://"])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_foreign_origin_is_refused(served: Served, origin: str, method: str) -> None:
    line = f"Origin: {origin.format(port=served.port)}"
    status, message = raw(served, PAGE, None, line, method=method)
    assert (status, message) == (
        403, "expected a request from this page, and not from another one.",
    )  # fmt: skip


def test_its_own_page_may_ask(served: Served) -> None:
    for name in ("127.0.0.1", "localhost"):
        origin = f"http://{name}:{served.port}"
        answer = served.client.get(f"{origin}{PAGE}", headers={"origin": origin})
        assert answer.status_code == 200


def test_the_page_allows_nothing_but_its_own_files(served: Served) -> None:
    answer = served.get("")
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    for path in ("nothing", "api/manifest", "openapi.json", "static/page.js"):
        assert "content-security-policy" in served.get(path).headers
    assert served.client.get(served.base[:-1]).headers["location"] == f"/{TOKEN}/"


def test_methods_that_are_not_taken(served: Served) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = served.client.request(method, served.base + "api/manifest")
        assert answer.status_code == 405, method
        assert "GET" in answer.headers["allow"]


def test_a_picture_is_run_and_removed(served: Served, networks: Path) -> None:
    run = served.added((networks / "dog.png").read_bytes(), quote("ein hund ☃ <b>.png"))
    assert run["label"] == "ein hund ☃ <b>.png"
    assert run["inputs"][0]["file"] == "ein hund ☃ <b>.png"
    assert (run["removable"], run["original"]) == (True, {"height": 16, "width": 16})
    assert run["id"] in [other["id"] for other in served.json("api/manifest")["runs"]]
    found = served.container(f"api/runs/{run['id']}/layers/1/channels/0")[1]["values"]
    acts = ls.extract(str(networks / "small.keras"), str(networks / "dog.png"))
    np.testing.assert_allclose(found[0], acts["first"].array[0, ..., 0], rtol=1e-5, atol=1e-6)
    held = served.explorer.cache.bytes
    assert served.delete(f"api/runs/{run['id']}").status_code == 204
    assert served.explorer.cache.bytes < held
    assert run["id"] not in served.explorer.runs
    assert served.refused(f"api/runs/{run['id']}/layers/1", 404).startswith("There is no run")
    assert served.delete(f"api/runs/{run['id']}").status_code == 404


def test_the_first_pictures_stay(served: Served) -> None:
    answer = served.delete("api/runs/r0")
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        "cat.png was given when the explorer was started, and stays."
    )
    assert served.get("api/runs/r0/preview").status_code == 200


def test_an_array_is_run_too(served: Served) -> None:
    held = io.BytesIO()
    array = np.random.default_rng(1).random((1, 16, 16, 3), np.float32)
    np.save(held, array)
    run = served.added(held.getvalue(), "numbers.npy")
    found = served.container(f"api/runs/{run['id']}/layers/0/channels/1")[1]["values"]
    assert np.array_equal(found[0], array[0, ..., 1])
    assert run["original"] is None
    served.delete(f"api/runs/{run['id']}")


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size, with as many zeros behind it as deflate packs tightly."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    )


def wide_array(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        held, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return held.getvalue() + data


UPLOADS = {
    "empty": (b"", "new.png is empty, not a picture or a .npy array. Drop a PNG, a "
              "JPEG, another picture, or a .npy file"),
    "text": (b"hello, " * 9, "new.png is a text file, not a picture or a .npy array; numbers are "
             "read from .csv and .tsv. Drop a PNG, a JPEG, another picture, or a .npy file"),
    "page": (b"<!doctype html><html>", "new.png is an HTML page, not a picture or a .npy array; "
             "the download gave an error page, get it again. Drop a PNG, a JPEG, another picture, "
             "or a .npy file"),
    "bomb": (bomb(30_000, 30_000), "new.png has 30000×30000 = 900,000,000 pixels, above the limit "
             "of 50,000,000: make it smaller"),
    "numbers": (wide_array((10**6, 10**6)), "new.png is a cut-off .npy file or holds objects: "
                "save it again"),
    "more dimensions than bytes": (wide_array((2**62, 0, 2**62)), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", UPLOADS)
def test_uploads_that_are_refused(served: Served, kind: str) -> None:
    data, message = UPLOADS[kind]
    answer = served.upload(data)
    if message is None:
        assert answer.status_code in (202, 422)
        return
    assert answer.status_code == 422
    assert answer.json()["message"] == message


def test_damaged_pictures_are_refused(served: Served) -> None:
    for data in (png()[:200], b"\x89PNG\r\n\x1a\n" + bytes(50), b"\xff\xd8\xff" + bytes(50)):
        answer = served.upload(data)
        assert answer.status_code == 422
        assert answer.json()["message"].startswith("new.png is a damaged or cut-off ")
    assert "upload" not in answer.json()["message"]


def test_too_large_an_upload_is_cut_off(networks: Path) -> None:
    def make(ticket):
        return Explorer([open_model(str(networks / "small.keras"))])

    with serving(make, upload_bytes=2**20) as served:
        answer = served.upload(bytes(2**20 + 1))
        assert answer.status_code == 413
        assert answer.json()["message"] == (
            "expected a file of at most 1 MiB. Make the picture smaller."
        )
        # What is under the limit is looked at.
        assert served.upload(bytes(2**20)).status_code == 422


def test_a_picture_that_does_not_fit_the_network_says_so(served: Served) -> None:
    held = io.BytesIO()
    np.save(held, np.zeros((1, 16, 16, 7), np.float32))
    answer = served.upload(held.getvalue(), "seven.npy")
    assert answer.status_code == 202
    kind, told = served.events(f"api/runs/{answer.json()['run']}/progress")[-1]
    assert kind == "failed"
    assert told["message"].startswith("seven.npy has shape (1, 16, 16, 7)")
    assert answer.json()["run"] not in served.explorer.runs


def test_pictures_can_be_too_many(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerscope.faces.explorer.server.site.MOST_UPLOADS", 2)
    runs = [served.added(png(seed=i)) for i in range(2)]
    answer = served.upload(png())
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        "2 pictures are open already. Remove one before you add another."
    )
    for run in runs:
        assert served.delete(f"api/runs/{run['id']}").status_code == 204
    again = served.added(png())
    served.delete(f"api/runs/{again['id']}")


def test_before_the_model_is_there(networks: Path) -> None:
    """The page comes at once; the rest says that it is too early, and how far it is."""
    wanted = threading.Event()

    def make(ticket):
        ticket.tell("opening", "small.keras")
        wanted.wait(60)
        explorer = Explorer([open_model(str(networks / "small.keras"))])
        explorer.add(str(networks / "cat.png"), ticket=ticket)
        return explorer

    with serving(make, wait=False) as served:
        assert "<title>layerscope</title>" in served.get("").text
        assert served.refused("api/manifest", 503) == "The model is still being opened."
        assert served.upload(png()).status_code == 503
        with served.client.stream("GET", served.base + "api/progress") as answer:
            parts = answer.iter_text()
            text = next(parts)
            while '"opening"' not in text:
                text += next(parts)
            wanted.set()
            text += "".join(parts)
        assert '"detail": "small.keras", "fraction": null' in text
        assert text.endswith("event: ready\ndata: {}\n\n")
        assert served.events("api/progress") == [("ready", {})]


def test_a_model_that_does_not_open_says_what_the_command_says(networks: Path) -> None:
    path = str(networks / "nothing.keras")
    with pytest.raises(ls.LayerscopeError) as error:
        ls.open_model(path)
    with serving(lambda ticket: Explorer([open_model(path)])) as served:
        assert served.events("api/progress") == [("failed", {"message": str(error.value)})]
        assert served.site.told.is_set()
        assert served.refused("api/manifest", 422) == str(error.value)
        assert served.upload(png()).json()["message"] == str(error.value)
        assert served.get("").status_code == 200


def test_a_fault_of_layerscopes_own_is_said_too() -> None:
    def make(ticket):
        raise KeyError("x")

    with serving(make) as served:
        assert served.refused("api/manifest", 422) == (
            "KeyError: 'x'. This is a fault of layerscope's own, and not of what you gave it."
        )
