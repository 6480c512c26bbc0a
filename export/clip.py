"""CLIP's bundle: captions and pictures become vectors whose cosines say how well they match."""

import torch
from torch import Tensor, nn

from t2i.export.plan import TOKENS, Captions, Host, Output, Plan, Tensors, tokens
from t2i.export.rewrite import rewrite
from t2i.export.trained import Trained
from t2i.models import clip
from t2i.runtime import bundle

# Any size goes, the graph resizes. It is checked on pictures that become half as large: otherwise
# ONNX Runtime, which rounds shares of pixels, is a level off in four of 10,000 values.
LONG, SHORT = 3, 2  # times the side that is seen


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph a side; pictures are given as they were read."""
    sizes: clip.Settings = trained.sizes
    network = trained.networks["clip"]
    assert isinstance(network, clip.Clip)

    def pictures(batch: int, kind: Captions) -> Tensors:
        dice = torch.Generator().manual_seed(batch)
        shape = (batch, SHORT * sizes.image_px, LONG * sizes.image_px, 3)
        return {"image": torch.randint(0, 256, shape, dtype=torch.uint8, generator=dice)}

    text = Plan(
        "text",
        Output(network.text),
        inputs=(TOKENS,),
        outputs=(bundle.Tensor("sentence", "float32", ("B", sizes.embed_size)),),
        examples=tokens(trained),
    )
    image = Plan(
        "image",
        Output(nn.Sequential(clip.Preprocess(sizes.image_px), network.image)),
        inputs=(bundle.Tensor("image", "uint8", ("B", "H", "W", 3), (0.0, 255.0), "BHWC"),),
        outputs=(bundle.Tensor("code", "float32", ("B", sizes.embed_size)),),
        examples=pictures,
        rewrite=with_resize_node,
    )
    return text, image


def host(trained: Trained) -> Host:
    """No noise; the scale that was learnt goes with the graphs."""
    sizes: clip.Settings = trained.sizes
    network = trained.networks["clip"]
    assert isinstance(network, clip.Clip)
    return Host(image_px=sizes.image_px, logit_scale=network.logit_scale.exp().item())


def with_resize_node(module: nn.Module) -> nn.Module:
    """Pictures are prepared by nodes of ONNX, which know sizes only when they run."""
    traced = rewrite(module)
    assert isinstance(traced, Output)
    assert isinstance(traced.network, nn.Sequential)
    preprocess, encoder = traced.network
    assert isinstance(preprocess, clip.Preprocess)
    return Output(nn.Sequential(PreprocessNodes(preprocess.px), encoder))


class PreprocessNodes(nn.Module):
    """`Preprocess` as nodes. Can be traced but not run: in PyTorch an ONNX node gives zeros.

    ONNX Runtime resizes pictures of 8 bits as Pillow does, a few values to the next level.
    """

    def __init__(self, px: int) -> None:
        super().__init__()
        self.px = px

    def forward(self, pixels: Tensor) -> Tensor:
        planes = pixels.permute(0, 3, 1, 2)
        symbolic = torch.onnx.ops.symbolic
        shape = symbolic("Shape", (planes,), dtype=torch.int64, shape=(4,))
        sides = shape[2:]
        sizes = self.px * sides // torch.minimum(sides[0], sides[1])
        resized = symbolic(
            "Resize",
            (planes, None, None, torch.cat([shape[:2], sizes])),
            {
                "antialias": 1,
                "mode": "cubic",
                "cubic_coeff_a": -0.5,
                "exclude_outside": 1,
                "coordinate_transformation_mode": "half_pixel",
            },
            dtype=torch.uint8,
            shape=planes.shape,
        )
        spare = sizes - self.px
        corner = (spare + spare // 2 % 2) // 2
        cut = symbolic(
            "Slice",
            (resized, corner, corner + self.px, torch.tensor([2, 3])),
            dtype=torch.uint8,
            shape=(pixels.shape[0], 3, self.px, self.px),
        )
        return clip.normalised_levels(cut.float())
