"""Every system whose official files are read, and every kind of network that is told apart."""

from t2i.export.official import attentive, clip, dvae, fixed, mindalle, sentences, stylegan2

PUBLISHED = {
    **attentive.PUBLISHED,
    **sentences.PUBLISHED,
    **stylegan2.PUBLISHED,
    **clip.PUBLISHED,
    **dvae.PUBLISHED,
    **fixed.PUBLISHED,
}
KINDS = (
    *attentive.KINDS,
    *sentences.KINDS,
    *stylegan2.KINDS,
    *clip.KINDS,
    *dvae.KINDS,
    *fixed.KINDS,
)
"""Relatives with more names first."""
FOLDERS = {"mindalle": mindalle.open_folder}
"""What reads those that are published as a folder of files."""
