"""Losses between a generator and its critics on scores, of which 1 means real and 0 fake.

Source: LSGAN, Mao et al. 2017, equation 9, without its factor ½.
"""

from torch import Tensor


def accept(scores: Tensor) -> Tensor:
    """Mean squared distance of scores (any shape) from "real"."""
    return (scores - 1).square().mean()


def refuse(scores: Tensor) -> Tensor:
    """Mean squared distance of scores (any shape) from "fake"."""
    return scores.square().mean()


def pairs(real: Tensor, wrong: Tensor, fake: Tensor) -> Tensor:
    """Accept pictures beside their sentences; refuse foreign pictures, and generated ones.

    Source: HDGAN, Zhang et al. 2018, section 3.2; official name `compute_d_pair_loss`.
    """
    return accept(real) + (refuse(wrong) + refuse(fake)) / 2


def pictures(real: Tensor, wrong: Tensor, fake: Tensor) -> Tensor:
    """Refuse generated pictures; accept real ones, foreign ones among them.

    Source: HDGAN, Zhang et al. 2018, section 3.2; official name `compute_d_img_loss`.
    """
    return refuse(fake) + (accept(wrong) + accept(real)) / 2
