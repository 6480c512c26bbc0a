"""Weights that lie beside their graph, because they are too many for a graph to hold."""

from pathlib import Path
from typing import Any

from t2i.runtime.errors import DeviceError


def take_weights(options: Any, file: str, place: Path | bytes, *, packed: bool) -> None:
    """Let a graph take weights from a file, by its name alone.

    Args:
        place: the folder in which it lies, or what it holds, which must stay in memory until the
            session is there.
        packed: order weights anew in memory. Those of eight bits would else be widened on every
            run; others are as fast where they are mapped from the file, and take no memory then.

    Raises:
        DeviceError: this ONNX Runtime cannot.
    """
    if not hasattr(options, "add_external_initializers_from_files_in_memory"):
        raise DeviceError(
            "this ONNX Runtime takes no weights that lie beside a graph",
            hint="install a newer one: pip install --upgrade onnxruntime, or onnxruntime-gpu",
        )
    if isinstance(place, bytes):
        options.add_external_initializers_from_files_in_memory([file], [place], [len(place)])
    else:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(place.resolve())
        )
    if not packed:
        options.add_session_config_entry("session.disable_prepacking", "1")
