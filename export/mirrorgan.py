"""MirrorGAN's bundle: AttnGAN's, and the captioner that its pictures had to be told back by."""

from t2i.export import attngan, stream
from t2i.export.plan import Plan
from t2i.export.trained import Trained
from t2i.models import mirrorgan


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Pictures to words, where there is a captioner; captions to words, and these to pictures."""
    sizes: mirrorgan.Settings = trained.sizes
    # It comes first: in the checks, what a graph gave is what a later one of that name is fed with,
    # and the captioner is to see the same pictures in ONNX and in PyTorch.
    described = stream.describing(trained, sizes.stream) if sizes.stream else ()
    return (*described, *attngan.plans(trained))


host = attngan.host
