"""The table of metrics."""

from collections.abc import Iterable

from t2i.runtime.errors import UsageError, did_you_mean
from t2i.runtime.score import diversity, locality
from t2i.runtime.score.attributes import Attributes
from t2i.runtime.score.features import INCEPTION
from t2i.runtime.score.fid import Fid
from t2i.runtime.score.inception import Inception
from t2i.runtime.score.kernel import Kid
from t2i.runtime.score.neighbours import Neighbours
from t2i.runtime.score.own_captions import ClipScore, VisualSemantic
from t2i.runtime.score.pairs import PairMetric, of_ms_ssim, of_psnr, of_ssim, ssim_around
from t2i.runtime.score.retrieval import Retrieval
from t2i.runtime.score.sets import SetMetric

METRICS: dict[str, PairMetric | SetMetric] = {
    "psnr": PairMetric("10 log10(255² / MSE), MSE over all pixels and channels", "dB", of_psnr),
    "ssim": PairMetric(
        "Wang et al. 2004: Gaussian window of 11, σ 1.5, K 0.01 and 0.03, population covariance, "
        "mean over the interior and over channels",
        "",
        of_ssim,
        ssim_around,
    ),
    "ms-ssim": PairMetric(
        "Wang et al. 2003: as ssim at five scales, exponents 0.0448, 0.2856, 0.3001, 0.2363 and "
        "0.1333, channel by channel, a negative mean of a scale counted as 0; halved by means of "
        "2 × 2 after repeating the first row and column where a side is odd",
        "",
        of_ms_ssim,
    ),
    "attributes": SetMetric(
        "share of what captions state that a judge of attributes sees in the pictures: its most "
        "likely value is the stated one; intervals of Wilson, statements taken as independent",
        "birds-features",
        Attributes,
    ),
    "r-precision": SetMetric(
        "Xu et al. 2018, R = 1 of 100: share of pictures whose own caption is strictly nearer, by "
        "the cosine of code and sentence, norms floored at 1e-8, than 99 captions drawn by "
        "MurmurHash3 (hash seed 2) of (seed + picture) · 2²⁴ + caption among those with another "
        "text and, where labels or facts are known, another label or other facts; interval of "
        "Wilson",
        "birds-damsm",
        Retrieval,
        random=True,
    ),
    "vs": SetMetric(
        "Zhang et al. 2018 (HDGAN): inner product of the code of a picture and the sentence of its "
        "caption, of length 1 each (norms floored at 1e-12), mean and population deviation",
        "birds-vs",
        VisualSemantic,
    ),
    "clip": SetMetric(
        "Hessel et al. 2021 without prompt and weight: mean over pictures, and population "
        "deviation, of 100 max(0, cosine of code and sentence), norms floored at 1e-12",
        "birds-clip",
        ClipScore,
    ),
    "fid": SetMetric(
        "Heusel et al. 2017: squared Fréchet distance of Gaussians of features, in float64, "
        "covariances divided by n − 1, symmetric form",
        INCEPTION,
        Fid,
    ),
    "kid": SetMetric(
        "Binkowski et al. 2018: unbiased squared maximum mean discrepancy of features, kernel "
        "(x·y / F + 1)³, mean and population deviation over random subsets",
        INCEPTION,
        Kid,
    ),
    "prdc": SetMetric(
        "Kynkäänniemi et al. 2019 and Naeem et al. 2020: of features, F-score of precision and "
        "recall; balls reach to the third neighbour for these, to the fifth for density and "
        "coverage",
        INCEPTION,
        Neighbours,
    ),
    "is": SetMetric(
        "Salimans et al. 2016: exp E KL(p(kind | picture) ‖ p(kind)), mean and population "
        "deviation over 10 consecutive splits",
        INCEPTION,
        Inception,
    ),
    "diversity": SetMetric(
        "mean Euclidean distance of features between the pictures of a caption from 16 seeds, "
        "mean and population deviation over the first 50 captions",
        "birds-perceptual",
        diversity.Diversity,
        draws=diversity.draws,
    ),
    "edit": SetMetric(
        "of captions changed in one word and drawn from the same noise: share of the picture "
        "outside the changed parts that stayed (no channel differs by more than 8 levels of 255) "
        "where a judge sees the new value and saw another before, 0 where not; mean over edits, "
        "its interval normal. The parts are where a network finds them in either picture, grown "
        "by 1/32 of the side; changes are mean absolute differences over 255; other intervals "
        "of Wilson for what is counted",
        "birds-features",
        locality.Locality,
        draws=locality.draws,
    ),
}


def choose(names: Iterable[str]) -> dict[str, PairMetric | SetMetric]:
    """Entries of the table, each once.

    Raises:
        UsageError: there is no such metric.
    """
    chosen = {}
    for name in names:
        if name not in METRICS:
            raise UsageError(f"there is no metric {name!r}", hint=did_you_mean(name, METRICS))
        chosen[name] = METRICS[name]
    return chosen
