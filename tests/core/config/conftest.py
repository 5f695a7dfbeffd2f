"""Site files on disk, and what is said about them."""

import pytest

from meterhub.config.loader import load
from meterhub.config.site import load_site
from meterhub.errors import ConfigErrors


@pytest.fixture
def write(tmp_path):
    """``write(text, name)`` puts a file into the folder of the site and returns its path."""

    def put(text, name="site.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return put


@pytest.fixture
def mistakes(write):
    """What loading a text says, one string per mistake."""

    def said(text, loading=load):
        with pytest.raises(ConfigErrors) as caught:
            loading(write(text))
        return [str(error) for error in caught.value.errors]

    return said


@pytest.fixture
def site_mistakes(mistakes):
    """What checking a whole site file says, one string per mistake."""
    return lambda text: mistakes(text, load_site)
