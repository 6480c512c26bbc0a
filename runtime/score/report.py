"""The page that shows results: one file, which needs no network and no other file."""

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from t2i.runtime import records
from t2i.runtime.errors import PictureError, ScoreError
from t2i.runtime.pictures import Pixels
from t2i.runtime.score import charts
from t2i.runtime.score.pairs import Scores, drawn_map, read
from t2i.runtime.score.protocol import Result, digits
from t2i.runtime.score.sets import Charting, Ranking, Work
from t2i.runtime.score.sources import Dividing, Source, Stored

PAGE, STYLE, SCRIPT = (Path(__file__).with_name(f"report.{kind}") for kind in ("html", "css", "js"))
THUMBNAIL_PX = 176
QUALITY = 82
MOST_BYTES = 10 * 2**20
"""Of all pictures of a page; what comes after them is only counted."""
EXTREMES = 6
"""Of the best, and of the worst, by each metric."""
GALLERY = 120
"""Pictures that are shown with their captions, spread over all of them."""
LISTED = 200
"""Pictures that could not be read, by their names."""


@dataclass(frozen=True)
class Thumbnail:
    label: str
    """What it is beside others; nothing where it stands alone."""
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Card:
    """One picture, or a pair, with what is known of it."""

    name: str
    caption: str
    thumbnails: tuple[Thumbnail, ...]
    scores: tuple[tuple[str, str, int], ...]
    """Metric, value, and place among all, from 1."""


@dataclass(frozen=True)
class Extremes:
    """The best and worst by one metric."""

    called: str
    by: str
    best: list[Card]
    worst: list[Card]


@dataclass
class Album:
    """The pictures of one source, or of all pairs, in their order, and how metrics rank them."""

    title: str
    count: int
    load: Callable[[int], Card]
    """A card without scores."""
    by: dict[str, str]
    """What each metric ranks by."""
    values: dict[str, Sequence[float]]
    orders: dict[str, npt.NDArray[np.int64]] = field(init=False)
    """By metric, from the best to the worst."""
    ranks: dict[str, npt.NDArray[np.int64]] = field(init=False)
    """By metric, of each picture, from 1."""

    def __post_init__(self) -> None:
        self.orders = {
            name: np.argsort(-np.asarray(each), kind="stable") for name, each in self.values.items()
        }
        self.ranks = {name: np.argsort(order) + 1 for name, order in self.orders.items()}

    def card(self, number: int) -> Card:
        bare = self.load(number)
        scores = tuple(
            (name, f"{float(each[number]):#.4g}", int(self.ranks[name][number]))
            for name, each in self.values.items()
        )
        return Card(bare.name, bare.caption, bare.thumbnails, scores)

    def extremes(self) -> Iterator[Extremes]:
        for name, order in self.orders.items():
            some = min(EXTREMES, len(order) // 2)
            best, worst = order[: max(1, some)].tolist(), order[::-1][:some].tolist()
            yield Extremes(
                name, self.by[name], list(map(self.card, best)), list(map(self.card, worst))
            )

    def gallery(self) -> list[Card]:
        numbers = np.linspace(0, self.count - 1, min(self.count, GALLERY)).round().astype(int)
        return [card for card in map(self.card, numbers.tolist()) if card.thumbnails]


class Printer:
    """Makes small pictures, until there are enough of them."""

    def __init__(self) -> None:
        self.bytes = 0

    def thumbnail(self, pixels: Pixels, label: str = "") -> tuple[Thumbnail, ...]:
        """One, or none where the page is full."""
        if self.bytes > MOST_BYTES:
            return ()
        image, data = Image.fromarray(pixels), io.BytesIO()
        image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        image.save(data, "JPEG", quality=QUALITY, subsampling=0)
        uri = f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
        self.bytes += len(uri)
        return (Thumbnail(label, uri, *image.size),)


def require() -> None:
    """Raises ScoreError where what makes pages is not installed."""
    try:
        import jinja2
        import matplotlib
    except ImportError as error:
        raise ScoreError(
            f"--report needs {error.name}, which is not installed",
            hint="pip install 't2i[report]'",
        ) from error
    assert jinja2, matplotlib


def written(
    command: str, results: Sequence[Result], works: Sequence[Work], compared: Scores | None
) -> str:
    """The page, as HTML.

    Args:
        command: what was typed.
        works: metrics of sets, in a setting that is detailed.
        compared: what was found in pairs.
    """
    from jinja2 import Environment, StrictUndefined

    printer = Printer()
    albums = [_of_pairs(compared, printer)] if compared else []
    albums += _of_sets(works, printer)
    found = [work.scorer.curve() for work in works if isinstance(work.scorer, Charting)]
    curves = [each for each in found if each]
    lost = list(dict.fromkeys(name for each in results for name in each.protocol.unreadable))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "digits": digits,
        "percent": lambda share: f"{100 * share:.1f}\N{NO-BREAK SPACE}%",
    }
    page = environment.from_string(PAGE.read_text(encoding="utf-8"))
    style, script = (each.read_text(encoding="utf-8") for each in (STYLE, SCRIPT))
    return page.render(
        title=albums[0].title if albums else "Scores",
        command=command,
        results=results,
        protocols=[(each.called, _told(each)) for each in results],
        curves=[(curve.title, charts.drawn(curve)) for curve in curves],
        extremes=[each for album in albums for each in album.extremes()],
        galleries=[(album, album.gallery()) for album in albums],
        lost=lost[:LISTED],
        lost_more=max(0, len(lost) - LISTED),
        style=style,
        script=script,
        # Only this script runs, whatever a caption may hold.
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _of_sets(works: Sequence[Work], printer: Printer) -> Iterator[Album]:
    """One a source."""
    for source in {id(work.setting.source): work.setting.source for work in works}.values():
        ranking = {
            work.called: work.scorer
            for work in works
            if work.setting.source is source and isinstance(work.scorer, Ranking)
        }
        places = _readable(source)
        yield Album(
            source.name,
            len(places),
            cache(partial(_card, source, places, printer)),
            {name: scorer.ranked_by for name, scorer in ranking.items()},
            {name: scorer.by_picture() for name, scorer in ranking.items()},
        )


def _card(source: Source, places: Sequence[int], printer: Printer, number: int) -> Card:
    """The picture is read, or drawn, once more; what is gone meanwhile is only named."""
    assert isinstance(source, Dividing), "what a command scores can be divided"
    part = source.part(places[number], places[number] + 1)
    shown = next((each for batch in part.batches(1) for each in batch), None)
    if shown is None:
        return Card(part.names[0], "", (), ())
    caption = "" if shown.caption is None else source.captions[shown.caption].text
    return Card(part.names[0], caption, printer.thumbnail(shown.pixels), ())


def _readable(source: Source) -> Sequence[int]:
    """Places of the pictures that metrics saw."""
    if not isinstance(source, Stored):
        return range(len(source))
    lost = source.unreadable
    return [place for place, item in enumerate(source.items) if item.where not in lost]


def _of_pairs(compared: Scores, printer: Printer) -> Album:
    drawn = {name: each.around for name, each in compared.metrics.items() if each.around}

    def load(number: int) -> Card:
        pair = compared.pairs[number]
        try:
            (a, _), (b, _) = read(pair.a), read(pair.b)
        except PictureError:  # gone meanwhile
            return Card(pair.name, pair.b.caption or "", (), ())
        thumbnails = printer.thumbnail(a, "reference") + printer.thumbnail(b, "picture")
        for name, around in drawn.items():
            found = drawn_map(around(a, b, compared.options))
            thumbnails += printer.thumbnail(found, name.upper())
        return Card(pair.name, pair.b.caption or "", thumbnails, ())

    return Album(
        " and ".join(compared.names),
        len(compared.pairs),
        cache(load),
        dict.fromkeys(compared.values, "the value of the pair"),
        dict(compared.values),
    )


def _told(result: Result) -> list[tuple[str, str]]:
    """A protocol as words beside words."""
    about = result.protocol
    mappings = {"options": about.options, "software": about.software}
    told = {name: str(value) for name, value in records.encode(about).items() if value is not None}
    told |= {name: _listed(each) for name, each in mappings.items()}
    told["inputs"] = "; ".join(
        f"{each.name}{'' if each.count is None else f' ({each.count:,})'} {each.sha256}"
        for each in about.inputs
    )
    told["pixel_range"] = " … ".join(f"{level:g}" for level in about.pixel_range)
    told["unreadable"] = f"{len(about.unreadable):,}"
    return [(name.replace("_", " "), value) for name, value in told.items() if value]


def _listed(mapping: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} ({_listed(value)})" if isinstance(value, Mapping) else f"{name} {value}"
        for name, value in mapping.items()
    )
