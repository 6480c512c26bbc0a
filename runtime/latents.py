"""A latent as a file: an `.npz` with the picture that it was told of, and whose latent it is."""

import io
from pathlib import Path

import numpy as np

from t2i.runtime.editor import Editor, Told
from t2i.runtime.errors import BundleError, PictureError
from t2i.runtime.pictures import write_whole
from t2i.runtime.proof import read_arrays

NPZ = ".npz"
BYTES = 2**26
AGAIN = "make it again: t2i-edit PICTURE --invert --model NAME --out FILE"


def save_latent(told: Told, editor: Editor, path: Path) -> None:
    """Write it whole, or not at all.

    Raises:
        PictureError: it cannot be written.
    """
    data = io.BytesIO()
    np.savez_compressed(
        data,
        latent=told.latent,
        picture=told.picture,
        mirrored=np.array([told.mirrored]),
        space=np.frombuffer(bytes.fromhex(editor.space), np.uint8),
    )
    write_whole(path, data.getvalue())


def read_latent(path: Path, editor: Editor) -> Told:
    """
    Raises:
        PictureError: it is missing, damaged, or of other weights than the editor's.
    """
    try:
        if path.stat().st_size > BYTES:
            raise PictureError(f"{path} is too large for a latent", hint=AGAIN)
        arrays = read_arrays(path.read_bytes(), str(path))
        latent, picture, mirrored, space = (
            arrays[name] for name in ("latent", "picture", "mirrored", "space")
        )
    except FileNotFoundError as error:
        raise PictureError(f"{path} does not exist", hint="check its name") from error
    except (BundleError, KeyError) as error:
        raise PictureError(f"{path} holds no latent", hint=AGAIN) from error
    if space.tobytes().hex() != editor.space:
        raise PictureError(
            f"{path} is a latent of another model than {editor.manifest.name}",
            hint="name the bundle that it was told by with --model, or tell the picture again",
        )
    px = editor.manifest.image_px
    fits = (
        latent.dtype == np.float32
        and latent.shape == editor.latent_shape
        and picture.dtype == np.uint8
        and picture.shape == (px, px, 3)
        and mirrored.shape == (1,)
        and np.isfinite(latent).all()
    )
    if not fits:
        raise PictureError(f"{path} is damaged", hint=AGAIN)
    return Told(latent, picture, mirrored=bool(mirrored[0]))
