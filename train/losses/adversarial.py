"""Losses between a generator and its critics, on logits."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import grad


def accept(logits: Tensor) -> Tensor:
    """Binary cross-entropy of logits (any shape) against "real"."""
    return F.softplus(-logits).mean()


def refuse(logits: Tensor) -> Tensor:
    """Binary cross-entropy of logits (any shape) against "fake"."""
    return F.softplus(logits).mean()


def matching_aware(real: Tensor, wrong: Tensor, fake: Tensor) -> Tensor:
    """Accept real pairs; refuse real pictures beside foreign captions, and generated pictures.

    Args:
        real, wrong, fake: logits (B,) of these three kinds of pairs.

    Source:
        GAN-CLS, Reed et al. 2016, algorithm 1: the two kinds of refusal share one half.
    """
    return accept(real) + (refuse(wrong) + refuse(fake)) / 2


def foreign(labels: Tensor) -> Tensor:
    """For each picture of a batch the place of a caption that is not its own: (B,) -> (B,).

    It is the next one of another class, or just the next where there is none.
    """
    places = torch.arange(len(labels), device=labels.device)
    ahead = (places[:, None] + places[1:]) % len(labels)  # (B, B - 1): the next, the one after, …
    other = labels[ahead] != labels[:, None]
    return ahead.gather(1, other.int().argmax(dim=1, keepdim=True)).squeeze(1)


def between(sentence: Tensor, share: float) -> Tensor:
    """Sentences on the way from the second half of a batch to the first: (B, E) -> (B // 2, E).

    They have no real pictures; a generator that must draw them too learns what lies between.

    Source:
        GAN-INT, Reed et al. 2016, equation 5, where the share is β; official name `interp_type` 1.
    """
    half = len(sentence) // 2
    return torch.lerp(sentence[half : 2 * half], sentence[:half], share)


def matching_critic(
    conditional: tuple[Tensor, Tensor, Tensor], unconditional: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Accept real pairs; refuse generated pictures, and real pictures beside a wrong caption.

    Args:
        conditional: logits of the head that sees the caption: real (B,), fake (B,) and
            wrong (B - 1,), where picture i stands beside caption i + 1.
        unconditional: logits of the head that sees only the picture: real (B,), fake (B,).

    Source:
        AttnGAN, Xu et al. 2018, equation 4, with the official code's third kind of refusal, which
        the paper leaves out: `discriminator_loss`.
    """
    real, fake, wrong = conditional
    if unconditional is None:
        return matching_aware(real, wrong, fake)
    picture_real, picture_fake = unconditional
    return (accept(picture_real) + accept(real)) / 2 + (
        refuse(picture_fake) + refuse(fake) + refuse(wrong)
    ) / 3


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """R1: the squared gradient of the logits of real pictures (B, …), averaged over B.

    Several logits a picture (patches) count by their mean, or the penalty grows with their number.

    Source:
        Mescheder et al. 2018, equation 9, without its factor γ/2.
    """
    per_picture = logits.float().flatten(1).mean(1).sum()
    (slope,) = grad(per_picture, pictures, create_graph=True)
    return slope.float().square().flatten(1).sum(dim=1).mean()
