"""How well pictures are drawn, in numbers that carry their protocol.

>>> t2i.score.psnr("a.png", "b.png"), t2i.score.ssim(pixels, others, luma=True)
>>> t2i.score.fid("photographs", "drawings"), t2i.score.inception_score(painter.draw(captions))
"""

from t2i.runtime.score.classes import accuracy_by_resolution, class_diversity
from t2i.runtime.score.fid import fid
from t2i.runtime.score.frechet import Gaussian, frechet_distance
from t2i.runtime.score.inception import inception_score
from t2i.runtime.score.multiscale import ms_ssim, small_ms_ssim
from t2i.runtime.score.similarity import psnr, ssim, ssim_map

__all__ = [
    "Gaussian",
    "accuracy_by_resolution",
    "class_diversity",
    "fid",
    "frechet_distance",
    "inception_score",
    "ms_ssim",
    "psnr",
    "small_ms_ssim",
    "ssim",
    "ssim_map",
]
