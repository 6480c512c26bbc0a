"""Tiny networks of AttnGAN and of the systems that grew out of it, and what all of these keep."""

from typing import Any

import torch
from torch import Tensor, nn

from t2i.models import attngan

TINY: dict[str, Any] = {
    "vocabulary": 20,
    "embedding": 8,
    "text_size": 16,
    "condition_size": 5,
    "noise_size": 6,
    "generator_width": 4,
    "critic_width": 4,
    "residuals": 1,
    "first_px": 8,
}
TOKENS = torch.tensor([[3, 9, 4, 1, 7, 2], [5, 6, 0, 0, 0, 0], [8, 2, 2, 11, 0, 0]])


def evaluated(system: Any, settings: attngan.Settings) -> dict[str, nn.Module]:
    """The networks of a system, in eval mode."""
    return {prefix: each.eval() for prefix, each in system.networks(settings).items()}


@torch.no_grad()
def draw(networks: dict[str, nn.Module], tokens: Tensor) -> attngan.Drawn:
    """With noise and detail that depend on a caption's place only."""
    made = torch.Generator().manual_seed(3)
    noise, detail = (
        torch.randn(8, TINY[size], generator=made)[: len(tokens)]
        for size in ("noise_size", "condition_size")
    )
    return networks["generator"](noise, detail, *networks["text"](tokens))


def check_captions_draw_alike(networks: dict[str, nn.Module]) -> None:
    """Alone, in company and padded; and attention leaves padding out."""
    together, alone = draw(networks, TOKENS), draw(networks, TOKENS[:1])
    padded = draw(networks, nn.functional.pad(TOKENS, (0, 5)))
    for image, long, single in zip(together.images, padded.images, alone.images, strict=True):
        torch.testing.assert_close(long, image)
        torch.testing.assert_close(single, image[:1])
    for shares, long in zip(together.attentions, padded.attentions, strict=True):
        torch.testing.assert_close(long[:, :6], shares)
        assert not long[:, 6:].any()
    assert [each.shape[-1] for each in together.images] == [8, 16, 32]
    assert [tuple(each.shape) for each in together.attentions] == [(3, 6, 8, 8), (3, 6, 16, 16)]


def check_weights_are_orthogonal(networks: nn.Module) -> None:
    for module in networks.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            rows = module.weight.detach().flatten(1)
            rows = rows if len(rows) <= rows.shape[1] else rows.T
            torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-4, rtol=0)
