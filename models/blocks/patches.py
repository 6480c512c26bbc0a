"""A critic of windows: one verdict a patch, for training on parts of a picture."""

from itertools import pairwise

from torch import Tensor, nn


class PatchCritic(nn.Module):
    """Judge the patches of a picture, alone and beside its sentence.

    Four strided convolutions without normalisation, so that a gradient penalty means what it says;
    the sentence enters by projection.

    Shapes:
        pictures (B, 3, H, W), sentence (B, E) -> logits (B, 1, h, w), twice; h = H/16 for
        `whole=False`, one verdict (h = w = 1) on pictures of 64 px for `whole=True`.

    Source:
        Isola et al. 2017 (patches); Miyato and Koyama 2018, equation 3 (projection).
    """

    def __init__(self, width: int, text_size: int, *, whole: bool) -> None:
        super().__init__()
        widths = [3, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = []
        for narrow, wide in pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.encode = nn.Sequential(*layers)
        top = widths[-1]
        kernel, padding = (4, 0) if whole else (3, 1)
        self.verdict = nn.Conv2d(top, 1, kernel, padding=padding)
        self.join = nn.Sequential(
            nn.Conv2d(top, top, kernel if whole else 1, padding=0), nn.LeakyReLU(0.2)
        )
        self.project = nn.Linear(text_size, top)

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 8 · width, H/16, W/16)"""
        return self.encode(pictures)

    def forward(self, features: Tensor, sentence: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the picture alone, and of the picture beside the sentence."""
        alone = self.verdict(features)
        sight = self.join(features)
        match = (sight * self.project(sentence)[:, :, None, None]).sum(dim=1, keepdim=True)
        return alone, alone + match / sight.shape[1] ** 0.5
