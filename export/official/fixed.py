"""Networks that judge pictures, of one size each."""

from t2i.export.official.kinds import Kind, Part
from t2i.export.official.published import Published
from t2i.models import inception

FEATURES = 2048
"""Channels of the last map at the official sizes."""

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

VGG = Kind(
    "torchvision's VGG-16",
    {},
    ("features.0.weight", "features.28.weight", "classifier.6.weight"),
)
"""What perceptual losses look with: `--save-weights` makes it a file that trainings read."""

KINDS = (TORCHVISION, FID, VGG)
PUBLISHED = {"inception": Published((Part("weights", "image", (FID,)),))}
