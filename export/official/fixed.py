"""Networks that judge pictures, of one size each."""

from torch import Tensor

from t2i.export.official.kinds import Kind, Part
from t2i.export.official.published import Published
from t2i.models import inception

FEATURES = 2048
"""Channels of the last map at the official sizes."""


def to_convolution(kernel: Tensor) -> Tensor:
    """As TensorFlow has it, (height, width, inputs, outputs), to PyTorch's order."""
    return kernel.permute(3, 2, 0, 1)


FID = Kind(
    "Inception as FID uses it",
    inception.RENAMES["image"],
    ("Mixed_7c.branch_pool.conv.weight", "fc.weight"),
    lambda shapes: {
        "kinds": shapes["fc.weight"][0],
        "thinner": FEATURES // shapes["fc.weight"][1],
    },
)
TORCHVISION = Kind(
    "torchvision's Inception-v3",
    inception.RENAMES["image"],
    (*FID.marks, "AuxLogits.fc.weight"),
)

SLIM = Kind(
    "Inception as TF-Slim fine-tunes it",
    inception.SLIM,
    ("conv0.weights", "mixed_8x8x2048b.branch_pool.Conv.weights", "logits.logits.weights"),
    lambda shapes: {
        "kinds": shapes["logits.logits.weights"][1] - 1,
        "thinner": FEATURES // shapes["logits.logits.weights"][0],
        "biased": True,
        "slim": True,
    },
    amended={
        **{f"{layer}.weights": to_convolution for layer in inception.SLIM_LAYERS},
        "logits.logits.weights": Tensor.t,
    },
    preset=lambda shapes: f"slim-{shapes['logits.logits.weights'][1] - 1}",
)
VGG = Kind(
    "torchvision's VGG-16",
    {},
    ("features.0.weight", "features.28.weight", "classifier.6.weight"),
)
"""What perceptual losses look with: `--save-weights` makes it a file that trainings read."""

KINDS = (TORCHVISION, FID, SLIM, VGG)
PUBLISHED = {"inception": Published((Part("weights", "image", (FID, SLIM)),))}
