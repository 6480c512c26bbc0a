"""SD-GAN's bundle: AttnGAN's, with the norms that captions condition folded as far as they go.

Such a norm gives (γ + γ_c) x̂ + (β + β_c), x̂ = (x - μ) / σ. No caption is in μ and σ, so both fold
into the convolution before, which then gives x̂ at once. Words are compared with x = σ x̂ + μ: σ and
μ fold into what they are compared by. γ, β and all linear layers behind the attention fold into
layers that see T words instead of all places, because shares sum to 1. What is left of a norm is
one multiplication and one addition. Enlarged maps are computed on the small ones, as in AttnGAN's.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fusion

from t2i.export import attngan
from t2i.export.plan import Plan
from t2i.export.rewrite import CornersConv, corner, rewrite, splits
from t2i.export.trained import Trained
from t2i.models import sdgan
from t2i.models.damsm import EncodedText


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to words; words and noise to pictures."""
    text, generator = attngan.plans(trained)
    return text, replace(generator, rewrite=faster)


host = attngan.host


class Enlarged(nn.Module):
    """A convolution of a map enlarged twice: (B, C, H, W) -> (B, C', n, H', W').

    Either n = 4 corners of each enlarged pixel, computed on the small map, or n = 1: the whole.
    """

    def __init__(self, up: nn.Upsample, conv: nn.Conv2d) -> None:
        super().__init__()
        self.apart = splits(up, conv)
        corners = (corner(conv, *place) for place in product((0, 1), repeat=2))
        self.parts = nn.ModuleList(corners if self.apart else [nn.Sequential(up, conv)])

    def forward(self, hidden: Tensor) -> Tensor:
        return torch.stack([part(hidden) for part in self.parts], dim=2)


class Cues(nn.Module):
    """All cues of a norm, γ and β included: what scales and shifts x̂.

    Shapes:
        normal (B, C, N) at N places, text of E channels -> scale, shift (B, C, N) or (B, C, 1)
    """

    plain: Tensor

    def __init__(self, norm: sdgan.ConditionedNorm) -> None:
        super().__init__()
        self.register_buffer("plain", torch.cat([norm.gain, norm.offset])[:, None])
        self.sentence: sdgan.SentenceCue | None = None
        self.key: nn.Conv1d | None = None
        self.said: nn.Conv1d | None = None
        for cue in norm.cues:
            if isinstance(cue, sdgan.SentenceCue):
                self.sentence = cue
            if isinstance(cue, sdgan.WordCue):
                self.key, self.said = _of_words(cue, norm.statistics)

    def forward(self, normal: Tensor, text: EncodedText) -> tuple[Tensor, Tensor]:
        said = self.plain
        if self.sentence is not None:
            told = (self.sentence.scale(text.sentence), self.sentence.shift(text.sentence))
            said = said + torch.cat(told, dim=1)[:, :, None]
        if self.key is None or self.said is None:
            scale, shift = said.chunk(2, dim=-2)
            return scale, shift
        key = self.key(text.words)
        logits = normal.transpose(1, 2) @ key[:, :-1] + key[:, -1:]
        shares = logits.masked_fill(~text.mask.unsqueeze(1), float("-inf")).softmax(dim=2)
        mixed = (self.said(text.words) + said) @ shares.transpose(1, 2)
        scale, shift = mixed.chunk(2, dim=1)
        return scale, shift


class FoldedUp(nn.Module):
    """What `ConditionedUp` computes, in eval mode."""

    def __init__(self, up: sdgan.ConditionedUp) -> None:
        super().__init__()
        self.conv = Enlarged(up.enlarge, fusion.fuse_conv_bn_eval(up.conv, up.norm.statistics))
        self.cues = Cues(up.norm)
        self.together = self.conv.apart
        """Whether corners are put together; else the head reads them apart."""

    def forward(self, hidden: Tensor, text: EncodedText) -> Tensor:
        enlarged = self.conv(hidden)
        normal = enlarged.flatten(2)
        scale, shift = self.cues(normal, text)
        gated = F.glu(scale * normal + shift, dim=1)
        apart = gated.unflatten(2, enlarged.shape[2:])
        if not self.conv.apart:
            return apart.squeeze(2)
        return F.pixel_shuffle(apart.flatten(1, 2), 2) if self.together else apart


class CornersHead(nn.Module):
    """A head that reads the corners (B, C, 4, H, W) of the map that nothing else reads."""

    def __init__(self, head: nn.Sequential) -> None:
        super().__init__()
        first, *rest = head
        assert isinstance(first, nn.Conv2d)
        self.conv = CornersConv(first)
        self.rest = nn.Sequential(*rest, nn.PixelShuffle(2))

    def forward(self, corners: Tensor) -> Tensor:
        return self.rest(self.conv(corners.unbind(2)))


def _of_words(cue: sdgan.WordCue, statistics: nn.BatchNorm2d) -> tuple[nn.Conv1d, nn.Conv1d]:
    """What places of x̂ are compared with, and last what μ is; what words say of scale and shift."""
    mean, variance = statistics.running_mean, statistics.running_var
    assert mean is not None
    assert variance is not None
    project = cue.attend.project.weight[:, :, 0, 0]
    spread = (variance + statistics.eps).sqrt()
    key = torch.cat([spread[:, None] * project, mean[None] @ project])
    says = [each.weight[:, :, 0, 0] @ project for each in (cue.scale, cue.shift)]
    biases = [each.bias for each in (cue.scale, cue.shift) if each.bias is not None]
    return _each(key), _each(torch.cat(says), torch.cat(biases))


def _each(weight: Tensor, bias: Tensor | None = None) -> nn.Conv1d:
    """A linear map (outputs, E) of each word by itself."""
    conv = nn.Conv1d(weight.shape[1], weight.shape[0], 1, bias=bias is not None)
    conv.weight = nn.Parameter(weight[:, :, None].clone())
    if bias is not None:
        conv.bias = nn.Parameter(bias.clone())
    return conv


def faster(drawing: nn.Module) -> nn.Module:
    """All norms folded; the last map stays in corners, as only its head reads it."""
    drawing = rewrite(drawing)
    assert isinstance(drawing, attngan.Drawing)
    generator = drawing.generator
    assert isinstance(generator, sdgan.Generator)
    with torch.no_grad():
        ups = list(_folded(generator))
        head = generator.heads[-1]
        if ups[-1].conv.apart:
            assert isinstance(head, nn.Sequential)
            ups[-1].together = False
            generator.heads[-1] = CornersHead(head)
    return drawing


def _folded(generator: sdgan.Generator) -> Iterator[FoldedUp]:
    """Every layer that grows, replaced, in the order in which they do."""
    for name, up in list(generator.named_modules()):
        if isinstance(up, sdgan.ConditionedUp):
            folded = FoldedUp(up)
            generator.set_submodule(name, folded)
            yield folded
