"""Single files for programs that know nothing of this package."""

from pathlib import Path

import pytest
from bundles import write_tiny_bundle

from t2i.export import single_file
from t2i.runtime import places
from t2i.runtime.bundle import Bundle


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 16 × 16 pixels; its single file, with attention, lies beside it."""
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("bundles"))
    single_file.write(Bundle.load(bundle), bundle.with_suffix(".onnx"), attention=True)
    return bundle


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The single file, with attention, of the bundle that ships."""
    path = tmp_path_factory.mktemp("single") / "birds.onnx"
    single_file.write(Bundle.load(places.find("birds")), path, attention=True)
    return path
