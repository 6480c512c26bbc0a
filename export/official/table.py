"""Every system whose official files are read, and every kind of network that is told apart."""

from t2i.export.official import attentive, clip, dvae, fixed, mindalle, sentences, stylegan2

PUBLISHED = {
    **attentive.PUBLISHED,
    **sentences.PUBLISHED,
    **stylegan2.PUBLISHED,
    **clip.PUBLISHED,
    **dvae.PUBLISHED,
    **mindalle.PUBLISHED,
    **fixed.PUBLISHED,
}
KINDS = (
    *attentive.KINDS,
    *sentences.KINDS,
    *stylegan2.KINDS,
    *clip.KINDS,
    *dvae.KINDS,
    *mindalle.KINDS,
    *fixed.KINDS,
)
"""Relatives with more names first."""
