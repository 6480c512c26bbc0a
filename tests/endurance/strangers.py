"""What may come from a stranger, whole, and the command that reads it."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random

import numpy as np
import onnx
import torch
import typer
from bundles import E, add_inversion, text_graph, write_tiny_bundle, zipped
from endurance.mutation import damaged, lines_retold, misspelt, retold
from judges import write_clip, write_judge, write_sorter
from lua_files import Lua, Writer
from official_files import official_state, save, save_legacy, save_words
from onnx import numpy_helper
from PIL import Image
from safetensors.torch import save_file
from tensorflow_files import write_newer, write_older
from torch import nn
from untrained import write_run

from t2i.export.cli import app as export_app
from t2i.export.official import load as official
from t2i.export.trained import load as load_trained
from t2i.models import stylegan2
from t2i.runtime.asciipairs import ascii_pair_tokenizer
from t2i.runtime.bytepairs import byte_pair_tokenizer
from t2i.runtime.cli.edit import app as edit_app
from t2i.runtime.cli.run import app as run_app
from t2i.runtime.cli.score import app as score_app
from t2i.runtime.cli.search import app as search_app
from t2i.runtime.runs import Run
from t2i.runtime.text import character_tokenizer
from t2i.train.checkpoints import Checkpoints, State
from t2i.train.checkpoints import read as read_checkpoint
from t2i.train.prerequisites import read_state

Mutate = Callable[[bytes, Random], bytes]
APPS = {
    "t2i-run": run_app,
    "t2i-edit": edit_app,
    "t2i-score": score_app,
    "t2i-search": search_app,
    "t2i-export": export_app,
}


@dataclass(frozen=True)
class Kind:
    """A file that is damaged, and who is asked to read it then."""

    file: Path
    use: Callable[[], object]
    mutate: Mutate = damaged
    seal: Callable[[], object] = lambda: None
    """What a stranger would do to make the damage look meant: write its hash into a manifest."""


@cache
def parsed(name: str) -> typer.core.TyperCommand:
    command = typer.main.get_command(APPS[name])
    assert isinstance(command, typer.core.TyperCommand)
    return command


def command(name: str, *arguments: object) -> None:
    """Run a command in this process."""
    parsed(name).main([str(each) for each in arguments], prog_name=name)


def using(name: str, *arguments: object) -> Callable[[], None]:
    return partial(command, name, *arguments)


def sealed(bundle: Path) -> Callable[[], None]:
    """Make the manifest agree with the files."""
    original = (bundle / "manifest.json").read_bytes()

    def seal() -> None:
        contents = json.loads(original)
        files = [*contents["graphs"], contents["proof"], contents["preview"], contents["card"]]
        for each in files:
            data = (bundle / each["file"]).read_bytes()
            each |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": max(1, len(data))}
        text = contents["text"]
        if text:
            words = (bundle / text["tokenizer"]).read_bytes()
            text["sha256"] = hashlib.sha256(words).hexdigest()
        (bundle / "manifest.json").write_text(json.dumps(contents), encoding="utf-8")

    return seal


def drawing(bundle: Path, caption: str = "a red bird") -> Callable[[], None]:
    out = bundle.parent / "drawn.png"
    given = ("--out", out, "--force", "--device=cpu", "--threads=1")
    return using("t2i-run", caption, "--model", bundle, *given)


def bundles(folder: Path) -> Mapping[str, Kind]:
    """Bundles: damaged on their way, or made to be read by somebody who means harm."""
    tiny, judge, clip = write_tiny_bundle(folder), write_judge(folder), write_clip(folder)
    classes = write_sorter(folder)
    archive = zipped(write_tiny_bundle(folder / "zip"))
    pictures = folder / "pictures"
    pictures.mkdir()
    for shade in (60, 200):
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(pictures / f"{shade}.png")
    looking = using(
        "t2i-score", "fid", pictures, pictures, f"--with=fid={judge}", "--device=cpu", "--threads=1"
    )
    matching = using(
        "t2i-score", "clip", pictures, f"--with=clip={clip}", "--device=cpu", "--threads=1"
    )
    (pictures / "metadata.jsonl").write_text(
        '{"file_name": "60.png", "text": "a red bird"}\n{"file_name": "200.png", "text": "red"}\n'
    )
    testing = using("t2i-run", "--selftest", "--model", tiny, "--device=cpu", "--threads=1")
    staged = using(
        *("t2i-run", "a red bird", "--stages", "--attention", "--model", tiny, "--device=cpu"),
        *("--threads=1", "--force", "--out", folder / "staged.png"),
    )
    return {
        "manifest": Kind(tiny / "manifest.json", staged, retold),
        "manifest of classes": Kind(classes / "manifest.json", drawing(classes, "red"), retold),
        "manifest of a judge": Kind(judge / "manifest.json", looking, retold),
        "manifest of a matcher": Kind(clip / "manifest.json", matching, retold),
        "zip": Kind(archive, drawing(archive)),
        "graph": Kind(tiny / "generator.onnx", drawing(tiny)),
        "proof": Kind(tiny / "proof.npz", testing, damaged, sealed(tiny)),
        "listing": Kind(tiny / "manifest.json", using("t2i-run", "--list"), retold),
    }


def tokenizers(folder: Path) -> Mapping[str, Kind]:
    """Vocabularies of each kind in a bundle whose manifest vouches for them."""
    pairs = ["r e", "i r", "re d", "b ir", "bir d</w>"]
    merges = [f"\u0120 {letter}" for letter in "bir"] + ["r e", "re d"]
    pieces = [*"\u0120abdeir.", *(merge.replace(" ", "") for merge in merges)]
    ids = {name: place for place, name in enumerate(["<s>", "</s>", "<unk>", *pieces])}
    lines = "\n".join(["#version: 0.2", *merges, ""]).encode()
    written = {
        "words": None,
        "letters": character_tokenizer(),
        "byte pairs": byte_pair_tokenizer(pairs),
        "pairs of letters": ascii_pair_tokenizer(json.dumps(ids).encode(), lines),
    }
    kinds = {}
    for name, words in written.items():
        bundle = write_tiny_bundle(folder, name.replace(" ", "-"))
        if words:
            (bundle / "tokenizer.json").write_bytes(words)
            widen(bundle, 600)
            sealed(bundle)()
        kinds[name] = Kind(
            bundle / "tokenizer.json", drawing(bundle, "a red bírd &amp; 1"), retold, sealed(bundle)
        )
    sorter = write_sorter(folder)
    kinds["classes"] = Kind(
        sorter / "tokenizer.json", drawing(sorter, "red"), retold, sealed(sorter)
    )
    return kinds


def widen(bundle: Path, words: int) -> None:
    """Let the text graph of a tiny bundle know so many ids."""
    graph = text_graph()
    for each in graph.graph.initializer:
        if each.name == "table":
            table = np.random.default_rng(0).normal(size=(words, E)).astype(np.float32)
            each.CopyFrom(numpy_helper.from_array(table, "table"))
    onnx.save(graph, bundle / "text.onnx")


def checkpoints(folder: Path) -> Mapping[str, Kind]:
    """Weights of other people, and what our own trainings leave."""
    torch.manual_seed(0)
    state = {"features.0.weight": torch.randn(3, 4), "features.0.bias": torch.zeros(3)}
    sizes = stylegan2.Settings(style_size=5, mapping_layers=2, widths=(6, 4))
    generator = official_state(stylegan2.Generator(sizes), stylegan2.RENAMES["generator"])
    variables = {"conv/weights": np.ones((2, 3), np.float32), "conv/bias": np.ones(2, np.float32)}
    newer = write_newer(folder / "model.ckpt", variables).with_name("model.ckpt.index")
    save_file(state, folder / "plain.safetensors")
    lua = Lua("nn.Sequential", modules=[Lua("nn.Linear", weight=np.ones((2, 3), np.float32))])
    (folder / "lua.t7").write_bytes(Writer().write({"protos": {"enc_doc": lua}, "epoch": 3}))
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    files = {
        "torch.save": save({"model": state, "epoch": 3}, folder / "new.pth"),
        "torch.save of old": save_legacy({"model": state}, folder / "old.pth"),
        "a network": save(network, folder / "whole.pth"),
        "an old network": save_legacy(network, folder / "whole-old.pth"),
        "vocabulary": save_words(["a", "red", "bird"], folder / "captions.pickle"),
        "safetensors": folder / "plain.safetensors",
        "Torch7": folder / "lua.t7",
        "TensorFlow": write_older(folder / "older", variables),
        "TensorFlow, newer": newer,
        "TensorFlow, numbers": newer.with_name("model.ckpt.data-00000-of-00001"),
    }
    kinds = {name: Kind(file, reading(file)) for name, file in files.items()}
    official_file = save({"g_ema": generator}, folder / "550000.pt")
    loading = partial(official.load, "stylegan2", official.Files({"weights": official_file}))
    kinds["a system"] = Kind(official_file, loading)
    return {**kinds, **own(folder)}


def reading(file: Path) -> Callable[[], None]:
    """Look at a file, then keep its tensors as what trainings begin with."""

    def read() -> None:
        command_ends("t2i-export", "--inspect", file)
        kept = file.with_name("kept.safetensors")
        if file.suffix not in (".pickle", ".t7"):
            command("t2i-export", "--weights", file, "--save-weights", kept, "--force")

    return read


def command_ends(name: str, *arguments: object) -> None:
    """Run a command, and go on where it succeeds."""
    try:
        command(name, *arguments)
    except SystemExit as error:
        if error.code:
            raise


def own(folder: Path) -> Mapping[str, Kind]:
    """Runs and checkpoints of ours, which may have come from elsewhere too."""
    run = write_run(folder / "run").folder
    tensors = {"weight": torch.ones(3, 2), "moment": torch.tensor(1)}
    state = State(1, False, 1.0, 1.0, {"one": {}}, tensors)
    saved = Checkpoints(folder / "checkpoints", keep=1).write(state)

    def export() -> None:
        load_trained(Run(run))

    def resume() -> None:
        read_checkpoint(saved)

    return {
        "a run's recipe": Kind(run / "recipe.json", export, retold),
        "a run's words": Kind(run / "tokenizer.json", export, retold),
        "a run's weights": Kind(run / "weights.safetensors", export),
        "a state": Kind(saved / "state.json", resume, retold),
        "tensors of a state": Kind(saved / "tensors.safetensors", resume),
        "a prerequisite": Kind(
            run / "weights.safetensors", lambda: read_state(run / "weights.safetensors")
        ),
    }


def captions(folder: Path) -> Mapping[str, Kind]:
    """What is typed, and files of it."""
    bundle = write_tiny_bundle(folder)
    text = "a small red bird with black wings\nthe grey bird is facing left\na yellow bird\n"
    rows = 'file,text\n1,"a red bird, small"\n2,a blue bird\n'
    objects = '{"text": "a red bird", "facts": {"main": "red"}}\n{"caption": "a blue bird"}\n'
    written = {"captions.txt": text, "captions.csv": rows, "captions.jsonl": objects}
    mutations = {"captions.jsonl": lines_retold}
    kinds = {}
    given = ("--model", bundle, "--device=cpu", "--threads=1", "--force")
    for name, contents in written.items():
        file = folder / name
        file.write_text(contents, encoding="utf-8")
        out = folder / f"drawn-{file.suffix[1:]}"
        using_file = using("t2i-run", "--captions", file, "--out", out, *given)
        kinds[name] = Kind(file, using_file, mutations.get(name, misspelt))
    typed = folder / "typed"
    typed.write_text("a small red bird with black wings", encoding="utf-8")

    def type_it() -> None:
        caption = typed.read_bytes().decode("utf-8", "surrogateescape")
        command("t2i-run", *given, "--out", folder / "typed.png", "--", caption)

    order = "".join(f'{{"text": "a red bird", "place": {n}}}\n' for n in range(3))
    (folder / "going-on.jsonl").write_text(order)
    batch = folder / "batch"
    resumed = ("--captions", folder / "going-on.jsonl", "--out", batch, "--resume", *given[:-1])
    command_ends("t2i-run", *resumed)
    return {
        **kinds,
        "typed": Kind(typed, type_it, misspelt),
        "an order": Kind(batch / "batch.json", using("t2i-run", *resumed), retold),
        "an index": Kind(batch / "index.jsonl", using("t2i-run", *resumed), lines_retold),
    }


def pictures(folder: Path) -> Mapping[str, Kind]:
    """Pictures of every format, and what sets of them lie in."""
    bundle, judge, clip = (
        *(add_inversion(write_tiny_bundle(folder)), write_judge(folder)),
        write_clip(folder),
    )
    kinds = {}
    given = ("--device=cpu", "--threads=1")
    for name, file in formats(folder).items():
        out = ("--out", folder / "edited.png", "--force")
        editing = using("t2i-edit", file, "a red bird", "--model", bundle, *out, *given)
        kinds[name] = Kind(file, editing)
    for name, file in sets(folder).items():
        looking = using(
            "t2i-score", "fid", file, folder / "plain", f"--with=fid={judge}", "--json", *given
        )
        kinds[name] = Kind(file, looking)
    told = folder / "plain" / "metadata.jsonl"
    rows = ({"file_name": f"{n}.png", "text": word} for n, word in enumerate(("red", "blue")))
    told.write_text("".join(json.dumps(row) + "\n" for row in rows))
    matching = using("t2i-score", "clip", folder / "plain", f"--with=clip={clip}", *given)
    kinds["a list of captions"] = Kind(told, matching, lines_retold)
    moments = folder / "moments.npz"
    np.savez(moments, mu=np.zeros(3), sigma=np.eye(3))
    known = using("t2i-score", "fid", moments, folder / "plain", f"--with=fid={judge}", *given)
    kinds["statistics"] = Kind(moments, known)
    index = folder / "seen.index"
    searching = ("t2i-search", index, "red", "--model", clip, *given)
    command_ends(*searching, "--folder", folder / "plain")
    kinds["an index"] = Kind(index, using(*searching))
    return kinds


def formats(folder: Path) -> Mapping[str, Path]:
    """One picture in each format that is read, and in each way to tell colours."""
    random = np.random.default_rng(0)
    colours = Image.fromarray(random.integers(0, 256, (20, 24, 3), np.uint8))
    deep = Image.fromarray(random.integers(0, 65536, (20, 24), np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    saved: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "a.png": (colours, {}),
        "clear.png": (colours.convert("RGBA"), {}),
        "palette.png": (colours.quantize(16), {"transparency": 0}),
        "deep.png": (deep, {}),
        "a.jpg": (colours, {"exif": exif}),
        "four.jpg": (colours.convert("CMYK"), {}),
        "a.webp": (colours, {"exif": exif}),
        "a.bmp": (colours, {}),
        "a.gif": (colours, {"save_all": True, "append_images": [colours.rotate(90)]}),
        "a.tif": (colours, {"compression": "tiff_lzw"}),
        "moving.png": (colours, {"save_all": True, "append_images": [colours.rotate(90)]}),
        "a.ppm": (colours, {}),
    }
    for name, (picture, options) in saved.items():
        picture.save(folder / name, **options)
    return {name: folder / name for name in saved}


def sets(folder: Path) -> Mapping[str, Path]:
    """Two pictures in all that a set may be."""
    plain = folder / "plain"
    plain.mkdir()
    data = {}
    for n in range(2):
        shown = io.BytesIO()
        Image.new("RGB", (8, 8), (90 * n, 30, 200)).save(shown, "PNG")
        data |= {f"{n}.png": shown.getvalue(), f"{n}.txt": b"a red bird"}
        data[f"{n}.json"] = b'{"label": 3}'
        (plain / f"{n}.png").write_bytes(shown.getvalue())
    paths = {name: folder / name for name in ("set.zip", "set.tar", "set.tar.gz", "set.txt")}
    with zipfile.ZipFile(paths["set.zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in data.items():
            archive.writestr(name, contents)
    for path, mode in ((paths["set.tar"], "w"), (paths["set.tar.gz"], "w:gz")):
        with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
            for name, contents in data.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(contents)
                tar.addfile(entry, io.BytesIO(contents))
    paths["set.txt"].write_text("plain/0.png\nplain/1.png\n")
    return paths


SUBJECTS: Mapping[str, Callable[[Path], Mapping[str, Kind]]] = {
    "bundles": bundles,
    "tokenizers": tokenizers,
    "checkpoints": checkpoints,
    "captions": captions,
    "pictures": pictures,
}
