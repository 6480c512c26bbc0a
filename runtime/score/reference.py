"""What sets of pictures are compared with: other pictures, or what is known of them."""

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.frechet import Gaussian, Moments, Statistics
from t2i.runtime.score.rows import Rows
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.score.sources import Source
from t2i.runtime.sessions import Arrays


class Summed:
    """Adds up the features of a reference."""

    outputs = ("features",)

    def __init__(self) -> None:
        self.moments = Moments()

    def see(self, captions: Captions, seen: Arrays) -> None:
        self.moments.add(seen["features"])


class Kept:
    """Keeps the features of a reference, on disk."""

    outputs = ("features",)

    def __init__(self) -> None:
        self.rows = Rows()

    def see(self, captions: Captions, seen: Arrays) -> None:
        self.rows.add(seen["features"])


def pictures_of(setting: Setting, metric: str) -> Source:
    """The pictures of the reference, for a metric that is not content with statistics.

    Raises:
        ScoreError: there are none.
    """
    setting.extractor.require("features")
    if isinstance(setting.reference, Statistics):
        raise ScoreError(
            f"{metric} compares pictures, and {setting.reference.name} holds mean and covariance",
            hint="pass the pictures themselves as REAL",
        )
    if setting.reference is None:
        raise ScoreError(
            f"{metric} compares pictures with others, and there are none to compare with",
            hint="`t2i-score fid,kid REAL FAKE`, or `t2i-score kid REAL --model NAME`",
        )
    return setting.reference


def seen_by(extractor: Extractor, statistics: Gaussian, name: str) -> Gaussian:
    """The statistics, if this extractor can have made them.

    Raises:
        ScoreError: it cannot.
    """
    other = statistics.extractor not in (None, extractor.sha256)
    width = extractor.width("features")
    if other or width not in (None, len(statistics.mean)):
        raise ScoreError(
            f"{name}: its {len(statistics.mean):,} features are not those of {extractor.name}",
            hint="pass the pictures themselves, or their extractor by --with fid=BUNDLE",
        )
    if statistics.resize not in (None, extractor.resize_name):
        raise ScoreError(
            f"{name}: its pictures were resized as {statistics.resize} does, these are as "
            f"{extractor.resize_name} does",
            hint=f"pass --protocol {statistics.resize}, or the pictures themselves",
        )
    return statistics
