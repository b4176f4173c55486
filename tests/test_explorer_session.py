"""Runs, their memory, several inputs, two models, and work that nobody waits for."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import layerscope as ls
from layerscope.faces.explorer.answers.container import unpack
from layerscope.faces.explorer.pairing import same_architecture
from layerscope.faces.explorer.runs import grouped
from layerscope.faces.explorer.session import Explorer
from layerscope.faces.explorer.work import Ticket, UnwantedError
from layerscope.models import open_model
from networks import saved, small
from serving import serving


@pytest.fixture
def explorer(networks: Path) -> Explorer:
    found = Explorer([open_model(str(networks / "small.keras"))])
    found.add([str(networks / "cat.png"), str(networks / "dog.png")])
    return found


def test_what_no_longer_fits_is_computed_anew(networks: Path) -> None:
    whole = Explorer([open_model(str(networks / "small.keras"))])
    narrow = Explorer([open_model(str(networks / "small.keras"))], memory=4000)
    for one in (whole, narrow):
        one.add([str(networks / name) for name in ("cat.png", "dog.png", "large.png")])
    # 196 values in each of 4 channels are 3,136 bytes: never two layers at once.
    for _ in range(2):
        for run in ("r2", "r0", "r1"):
            for number in range(5):
                expected = whole.layer(whole.run(run), number)
                assert narrow.layer(narrow.run(run), number) == expected
                name = whole.node(number).name
                wanted = whole.activation(whole.run(run), name).array
                found = narrow.activation(narrow.run(run), name).array
                assert np.array_equal(found, wanted)
                assert narrow.cache.bytes <= 4000


def test_groups_of_nodes_fit_in_the_memory(networks: Path) -> None:
    model = open_model(str(networks / "cats_dogs.keras"))
    feeds = {model.graph.inputs[0].name: np.zeros((1, 150, 150, 3), np.float32)}
    groups = grouped(model.graph, feeds, 3_000_000)
    assert [node.name for nodes, _ in groups for node in nodes] == [n.name for n in model.graph]
    sizes = {n.name: 4 * int(np.prod(n.shape[1:])) for n in model.graph}
    for nodes, total in groups:
        assert total == sum(sizes[node.name] for node in nodes)
        assert total <= 3_000_000
    assert len(groups) == 3


def test_several_inputs_are_replaced_one_at_a_time(networks: Path) -> None:
    def make(ticket):
        explorer = Explorer([open_model(str(networks / "pair.keras"))])
        explorer.add([f"left={networks / 'cat.png'}", f"right={networks / 'dog.png'}"])
        return explorer

    with serving(make) as served:
        manifest = served.json("api/manifest")
        assert [node["name"] for node in manifest["inputs"]] == ["left", "right"]
        assert len(manifest["runs"][0]["inputs"]) == 2
        values = [
            served.container(f"api/runs/r0/layers/{i}/channels/1")[1]["values"] for i in range(3)
        ]
        assert np.array_equal(values[2], values[0] - values[1])
        data = (networks / "cat.png").read_bytes()
        run = served.added(data, "cat.png", "?from=r0&input=1")
        found = served.container(f"api/runs/{run['id']}/layers/2/channels/1")[1]["values"]
        assert (found == 0).all()
        alone = served.upload(data, "cat.png")
        kind, told = served.events(f"api/runs/{alone.json()['run']}/progress")[-1]
        assert kind == "failed"
        assert told["message"].startswith("the model has several inputs, 'left', 'right'")
        assert served.upload(data, "cat.png", "?from=r0&input=2").json()["message"] == (
            "There are inputs 0 to 1, but input 2 was asked for."
        )
        assert served.upload(data, "cat.png", "?from=r8").status_code == 404


@pytest.fixture(scope="module")
def trained(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network with other weights."""
    keras.utils.set_random_seed(8)
    return saved(small(keras), tmp_path_factory.mktemp("trained") / "trained.keras")


def test_two_models_of_one_architecture(networks: Path, trained: Path) -> None:
    models = [open_model(str(networks / "small.keras")), open_model(str(trained))]
    same_architecture(*models)
    explorer = Explorer(models)
    for number in range(2):
        explorer.add(str(networks / "cat.png"), number)
    assert [(run.id, run.made_by.model) for run in explorer.runs.values()] == [
        ("r0", 0), ("r1", 1),
    ]  # fmt: skip
    for run, path in (("r0", networks / "small.keras"), ("r1", trained)):
        acts = ls.extract(str(path), str(networks / "cat.png"))
        found = explorer.activation(explorer.run(run), "first").array
        np.testing.assert_allclose(found, acts["first"].array, rtol=1e-5, atol=1e-6)


def test_names_may_differ_where_the_network_is_the_same(networks: Path) -> None:
    """A framework numbers the layers of a second model on."""
    images = keras.Input((8, 8, 1))
    models = [
        open_model(keras.Sequential([images, keras.layers.Conv2D(2, 3), keras.layers.ReLU()]))
        for _ in range(2)
    ]
    assert models[0].graph.nodes[0].name != models[1].graph.nodes[0].name
    same_architecture(*models)
    explorer = Explorer(models)
    x = np.random.default_rng(2).random((1, 8, 8, 1), np.float32)
    for number in range(2):
        explorer.add(x, number)
        run = explorer.run(f"r{number}")
        _, sections = unpack(explorer.layer(run, 2))
        expected = np.asarray(models[number].keras_model(x))  # type: ignore[attr-defined]
        assert sections["hi"][0] == pytest.approx(expected[..., 0].max(), 1e-5)


def chain(*layers):
    return open_model(keras.Sequential([keras.Input((8, 8, 3), name="image"), *layers]))


def test_two_models_of_two_architectures(networks: Path) -> None:
    one = open_model(str(networks / "small.keras"))
    with pytest.raises(ls.LayerscopeError) as error:
        same_architecture(one, open_model(str(networks / "free.keras")))
    assert str(error.value) == (
        f"expected {networks / 'free.keras'} to be the same network as "
        f"{networks / 'small.keras'}, with other weights, but where the first has image "
        "(InputLayer; batch ?, height 16, width 16, channel 3), the second has image "
        "(InputLayer; batch ?, height ?, width ?, channel 3). Compare two files of one "
        "architecture."
    )
    conv = keras.layers.Conv2D
    for other, words in (
        (chain(conv(2, 3, name="a")), r"but only the first has b \(ReLU\)\."),
        (chain(conv(2, 5, padding="same", name="a"), keras.layers.ReLU()),
         r"first has a \(Conv2D 2, 3×3; .*second has a \(Conv2D 2, 5×5; "),
    ):  # fmt: skip
        first = chain(conv(2, 3, name="a"), keras.layers.ReLU(name="b"))
        with pytest.raises(ls.LayerscopeError, match=words):
            same_architecture(first, other)


def test_a_removed_run_frees_its_bytes(explorer: Explorer, networks: Path) -> None:
    before = explorer.cache.bytes
    (run,) = explorer.add(str(networks / "large.png"), uploaded=True)
    explorer.layer(run, 1)
    assert explorer.cache.bytes > before
    explorer.remove(run.id)
    assert explorer.cache.bytes == before
    with pytest.raises(ls.LayerscopeError, match="There is no run 'r2'"):
        explorer.run(run.id)


def test_cancelled_work_stops(networks: Path) -> None:
    """A run ends at the next node, and leaves neither a run nor bytes behind."""
    explorer = Explorer([open_model(str(networks / "cats_dogs.keras"))], memory=10**6)
    ticket = Ticket()
    told: list[float | None] = []
    tell = ticket.tell

    def telling(phase, detail="", fraction=None):
        told.append(fraction)
        if len(told) == 3:
            ticket.cancel()
        tell(phase, detail, fraction)

    ticket.tell = telling  # type: ignore[method-assign]
    with pytest.raises(UnwantedError):
        explorer.add(str(networks / "large.png"), ticket=ticket)
    assert len(told) == 3
    assert explorer.runs == {}
    assert explorer.cache.bytes == 0


def test_one_model_runs_one_thing_at_a_time(networks: Path) -> None:
    model = open_model(str(networks / "small.keras"))
    active, most = 0, 0
    guard = threading.Lock()
    run = model.run

    def counting(*args, **options):
        nonlocal active, most
        with guard:
            active += 1
            most = max(most, active)
        try:
            time.sleep(0.01)
            return run(*args, **options)
        finally:
            with guard:
                active -= 1

    model.run = counting  # type: ignore[method-assign]
    explorer = Explorer([model], memory=1)
    explorer.add(str(networks / "cat.png"))
    threads = [
        threading.Thread(target=explorer.layer, args=(explorer.run("r0"), 1 + i % 4))
        for i in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_waiting_work_stops_when_nobody_waits(networks: Path) -> None:
    explorer = Explorer([open_model(str(networks / "small.keras"))], memory=1)
    explorer.add(str(networks / "cat.png"))
    ticket = Ticket()
    ended: list[type[BaseException]] = []

    def ask():
        try:
            explorer.layer(explorer.run("r0"), 1, ticket)
        except UnwantedError as error:
            ended.append(type(error))

    with explorer._locks[0]:
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.1)
        assert thread.is_alive()
        ticket.cancel()
        thread.join(5)
    assert ended == [UnwantedError]


def test_progress_runs_from_nothing_to_all(networks: Path) -> None:
    ticket = Ticket()
    told: list[tuple[str, str, float | None]] = []
    tell = ticket.tell
    ticket.tell = lambda *words: (told.append(words), tell(*words))[1]  # type: ignore[method-assign]
    explorer = Explorer([open_model(str(networks / "cats_dogs.keras"))])
    explorer.add([str(networks / "cat.png"), str(networks / "dog.png")], ticket=ticket)
    running = [words for words in told if words[0] == "running"]
    shares = [words[2] for words in running]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert [running[0][1], running[-1][1]] == ["cat.png", "dog.png"]


def test_a_batch_of_fixed_size_gives_a_run_for_each_picture() -> None:
    inputs = keras.Input(batch_shape=(3, 8, 8, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="c")(inputs))
    x = np.random.default_rng(2).random((6, 8, 8, 1), np.float32)
    explorer = Explorer([open_model(model)])
    explorer.add(x)
    assert len(explorer.runs) == 6
    expected = np.asarray(keras.Model(inputs, model.outputs)(x[3:]))
    for number in range(3, 6):
        run = explorer.run(f"r{number}")
        _, sections = unpack(explorer.layer(run, 1))
        assert sections["hi"][0] == pytest.approx(np.abs(expected[number - 3, ..., 0]).max(), 1e-5)


def test_a_model_without_a_run_still_has_its_layers(networks: Path) -> None:
    with serving(lambda ticket: Explorer([open_model(str(networks / "small.keras"))])) as served:
        manifest = served.json("api/manifest")
        assert manifest["runs"] == []
        assert len(manifest["nodes"]) == 4
        run = served.added((networks / "cat.png").read_bytes(), "cat.png")
        assert served.container(f"api/runs/{run['id']}/layers/1")[1]["entries"].shape[0] == 4


def test_the_difference_of_two_runs(networks: Path) -> None:
    def make(ticket):
        explorer = Explorer([open_model(str(networks / "small.keras"))])
        explorer.add([str(networks / "cat.png"), str(networks / "dog.png")])
        return explorer

    model, names = str(networks / "small.keras"), ("cat.png", "dog.png")
    cat, dog = (ls.extract(model, str(networks / name))["first"].array for name in names)
    with serving(make) as served:
        path = "api/runs/r0/layers/1"
        header, sections = served.container(f"{path}?minus=r1")
        assert header["signed"]
        expected = (cat - dog)[0, ..., 2]
        exact = served.container(f"{path}/channels/2?minus=r1")[1]["values"][0]
        np.testing.assert_allclose(exact, expected, atol=1e-6)
        reach = np.abs(expected).max()
        np.testing.assert_allclose((sections["lo"][2], sections["hi"][2]), (-reach, reach), 1e-5)
        shown = sections["entries"][2, 0] / 240 * 2 * reach - reach
        np.testing.assert_allclose(shown, expected, atol=reach / 239)
        said = served.json(f"{path}/channels/2/value?row=3&column=4&minus=r1")["value"]
        assert np.float32(said) == exact[3, 4]
        itself = served.container(f"{path}?minus=r0")
        assert itself[0]["constant"] == [0, 1, 2, 3]
        figure = ls.read_figure(served.get(f"{path}/picture.png?minus=r1").content)
        np.testing.assert_array_equal(
            figure.values(figure.tiles[2]) > 0, sections["entries"][2, 0] > 120
        )
        assert served.refused(f"{path}?minus=r7", 404).startswith("There is no run 'r7'")


def test_pictures_of_two_sizes_have_no_difference(networks: Path) -> None:
    explorer = Explorer([open_model(str(networks / "free.keras"))])
    explorer.add(str(networks / "cat.png"))
    explorer.add(str(networks / "large.png"))
    with pytest.raises(ls.LayerscopeError) as error:
        explorer.layer(explorer.run("r0"), 1, minus="r1")
    assert str(error.value) == (
        "first gives arrays of shape (1, 14, 14, 2) and (1, 22, 18, 2), which have no "
        "difference. Compare pictures of one size: --size HxW."
    )


def test_a_network_of_780_nodes(networks: Path) -> None:
    """Every one can be shown and explained, though all of them never fit at once."""
    x = first = keras.Input((8, 8, 2), name="image")
    for number in range(260):
        y = keras.layers.Conv2D(2, 1, name=f"conv{number}")(x)
        y = keras.layers.ReLU(name=f"relu{number}")(y)
        x = keras.layers.Add(name=f"add{number}")([x, y])
    explorer = Explorer([open_model(keras.Model(first, x))], memory=200_000)
    image = np.random.default_rng(4).random((1, 8, 8, 2), np.float32) / 100
    explorer.add(image)
    run = explorer.run("r0")
    assert len(explorer.nodes()) == 781
    assert len(run.summary.nodes) == 781
    assert explorer.cache.bytes <= 200_000
    _, sections = unpack(explorer.layer(run, 780))
    kernels = [np.asarray(layer.kernel)[0, 0] for layer in explorer.models[0].keras_model.layers
               if hasattr(layer, "kernel")]  # type: ignore[attr-defined]  # fmt: skip
    expected = image[0].astype(np.float64)
    for kernel in kernels:
        expected = expected + np.maximum(expected @ kernel, 0)
    shown = (
        sections["lo"][:, None, None, None]
        + sections["entries"] / 240 * (sections["hi"] - sections["lo"])[:, None, None, None]
    )
    reach = float((sections["hi"] - sections["lo"]).max())
    np.testing.assert_allclose(
        np.moveaxis(shown[:, 0], 0, -1), expected, atol=reach / 400, rtol=1e-3
    )
