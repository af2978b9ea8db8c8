"""The version is the same wherever it is written."""

from configparser import ConfigParser
from pathlib import Path

import conversation_tracker


def test_the_package_and_its_metadata_have_one_version() -> None:
    metadata = ConfigParser(interpolation=None)
    metadata.read(Path(__file__).parents[3] / "setup.cfg")
    assert conversation_tracker.__version__ == metadata["metadata"]["version"]
