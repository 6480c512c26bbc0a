"""Metrics beside the packages that people use: SSIM, the features of FID, its distance, and memory.

    pip install scipy scikit-image        # what is compared with, and nothing else needs
    python -m bench.metrics               # one thread
    python -m bench.metrics --only ssim   # or features, distance, memory
    python -m bench.metrics --rounds 9    # on a noisy machine

All that is compared runs in turn, round by round, so that a machine that slows down slows all
alike; ratios are of medians. Weights of Inception are random: only speed is measured, from files of
256 px to features, decoding and resizing included.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from PIL import Image

from bench.attngan import Way, interleaved
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.export.publish import Request, export
from t2i.models import inception
from t2i.runtime import terminal
from t2i.runtime.errors import T2IError, UsageError
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.frechet import Gaussian, frechet_distance
from t2i.runtime.score.looking import CHUNK
from t2i.runtime.score.reference import Summed
from t2i.runtime.score.sets import show
from t2i.runtime.score.similarity import ssim
from t2i.runtime.score.sources import Stored

PX, WIDTH = 256, 2048
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
"""What libraries of matrices read as they load."""
FEW, MANY = 1000, 20_000
"""Pictures between which memory must not grow."""


def main(
    only: Annotated[str | None, typer.Option(help="ssim, features, distance or memory.")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds.")] = 5,
) -> None:
    """Compare speeds, then memory."""
    torch.set_num_threads(1)
    parts: dict[str, Callable[[int], None]] = {
        "ssim": of_ssim,
        "features": of_features,
        "distance": of_distance,
        "memory": of_memory,
    }
    with terminal.explaining_errors():
        if only not in (None, *parts):
            raise UsageError(f"there is nothing called {only!r}", hint=f"known: {', '.join(parts)}")
        for name, part in parts.items():
            if only in (None, name):
                part(rounds)


def of_ssim(rounds: int) -> None:
    """Pairs of 256 px in memory: pixels of three channels in, the mean of all windows out.

    scikit-image is asked for the same number: Gaussian windows, population covariance.
    """
    theirs = needed("skimage.metrics", "scikit-image").structural_similarity
    dice = np.random.default_rng(0)
    a, b = (dice.integers(0, 256, (PX, PX, 3), np.uint8) for _ in range(2))
    options: dict[str, Any] = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
        "channel_axis": -1,
    }
    assert abs(ssim(a, b) - theirs(a, b, **options)) < 1e-6
    tell(
        f"SSIM of pairs of {PX} px",
        {"scikit-image": lambda n: theirs(a, b, **options), "t2i": lambda n: ssim(a, b)},
        10 * rounds,  # each is over in an instant
    )


def of_features(rounds: int) -> None:
    """Files to features: PyTorch as pytorch-fid calls it, and ours."""
    network = inception.networks(inception.Settings())["image"].eval()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = pictures(root / "pictures", CHUNK)
        torch.save(network.state_dict(), root / "weights.pth")
        loaded = load("inception", Files({"weights": root / "weights.pth"}))
        export(Request(loaded, out=root / "inception.t2i"))
        extractor = Extractor.load(root / "inception.t2i", device="cpu", threads=1)

        def eager(n: int) -> None:
            levels = [np.asarray(Image.open(file).convert("RGB")) for file in files]
            planes = torch.from_numpy(np.stack(levels)).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode():
                network(2 * F.interpolate(planes, (299, 299), mode="bilinear") - 1)

        def ours(n: int) -> None:
            summed = Summed()
            show(Stored(root / "pictures", workers=1), [(extractor, summed)], CHUNK)

        tell(
            f"features of {CHUNK} pictures of {PX} px, from files",
            {"PyTorch eager": eager, "t2i": ours},
            rounds,
        )


def of_distance(rounds: int) -> None:
    """The Fréchet distance of 2,048 features."""
    sqrtm = needed("scipy.linalg", "scipy").sqrtm
    dice = np.random.default_rng(0)
    rows = [np.abs(dice.normal(size=(2 * WIDTH, WIDTH))) for _ in range(2)]
    a, b = (Gaussian(each.mean(0), np.cov(each, rowvar=False)) for each in rows)

    def theirs(n: int = 0) -> float:
        root = np.real(sqrtm(a.covariance @ b.covariance))
        apart = np.sum((a.mean - b.mean) ** 2)
        return float(apart + np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.trace(root))

    assert abs(theirs() - frechet_distance(a, b)) < 1e-5 * theirs()
    ways: dict[str, Way] = {
        "SciPy's sqrtm": lambda n: void(theirs()),
        "t2i": lambda n: void(frechet_distance(a, b)),
    }
    tell(f"Fréchet distance of {WIDTH:,} features", ways, rounds)


def of_memory(rounds: int) -> None:
    """Greatest memory of `t2i-score`, each time in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = pictures(root / "pictures", 100, px=64)
        rows = []
        for count in (FEW, MANY):
            listing = root / f"{count}.txt"
            listing.write_text("".join(f"{files[n % 100]}\n" for n in range(count)))
            judge = [f"--with={metric}=birds-features" for metric in ("fid", "kid", "is")]
            order = ["fid,kid,is", str(listing), str(listing), *judge, "--threads=1"]
            code = "from t2i.runtime.cli.score import main; main()"
            done = subprocess.run(
                [sys.executable, "-c", f"import sys; {code}", *order],
                check=True,
                capture_output=True,
            )
            assert done.stdout
            # Of all children so far; the larger set comes last.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            rows.append((f"{count:,} pictures", f"{peak:.0f} MB"))
    terminal.report("memory of fid, kid and is of two sets, by birds-features")
    terminal.table(("set", "at most"), rows)


def tell(what: str, ways: Mapping[str, Way], rounds: int) -> None:
    """Medians, and how much faster each is than the first."""
    medians = interleaved(dict(ways), 1, rounds)
    first = next(iter(medians.values()))
    terminal.report(f"{what}, {rounds} rounds")
    terminal.table(
        ("one thread", "median", "speed"),
        [(name, f"{1000 * t:.1f} ms", f"{first / t:.2f} ×") for name, t in medians.items()],
    )


def pictures(folder: Path, count: int, px: int = PX) -> list[Path]:
    """Smooth noise, as JPEG."""
    folder.mkdir()
    dice, files = np.random.default_rng(0), []
    for n in range(count):
        small = Image.fromarray(dice.integers(0, 256, (8, 8, 3), np.uint8))
        files.append(folder / f"{n:03}.jpg")
        small.resize((px, px), Image.Resampling.BICUBIC).save(files[-1], quality=95)
    return files


def needed(module: str, package: str) -> Any:
    """What is compared with.

    Raises:
        T2IError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise T2IError(f"{package} is not installed", hint=f"pip install {package}") from None


def void(value: object) -> None:
    """Let a value go."""


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():
        order = [sys.executable, "-m", "bench.metrics", *sys.argv[1:]]
        os.execve(sys.executable, order, {**os.environ, **ONE_THREAD})
    typer.run(main)
