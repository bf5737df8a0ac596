"""What pages load beside themselves: own stylesheet and scripts, and Plotly from its wheel, named by their content."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

_FILES = {
    "console.css": ("serving.console", "static/console.css", "text/css; charset=utf-8"),
    "theme.js": ("serving.console", "static/theme.js", "text/javascript; charset=utf-8"),
    "charts.js": ("serving.console", "static/charts.js", "text/javascript; charset=utf-8"),
    "plotly.min.js": ("plotly", "package_data/plotly.min.js", "text/javascript; charset=utf-8"),
}
_STYLE_ID = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')


@dataclass(frozen=True)
class Asset:
    """One file; `name` changes with its content, so that browsers may keep it for ever."""

    name: str
    body: bytes
    media: str

    @cached_property
    def zipped(self) -> bytes:
        """For browsers that accept gzip; made once."""
        return gzip.compress(self.body, 6, mtime=0)


@cache
def asset(plain: str) -> Asset:
    """The file that pages know as `plain`, say "charts.js"."""
    package, path, media = _FILES[plain]
    body = (resources.files(package) / path).read_bytes()
    stem, _, ending = plain.rpartition(".")
    return Asset(f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{ending}", body, media)


@cache
def style_ids() -> tuple[str, ...]:
    """Elements whose presence keeps Plotly from writing styles of parts that we never draw (its maps).

    A policy without inline styles refuses them, and the browser would complain on every page.
    """
    return tuple(sorted({found.decode() for found in _STYLE_ID.findall(asset("plotly.min.js").body)}))


def find(name: str) -> Asset | None:
    """The file with this hashed name, None where there is none: an old page asks for what is gone."""
    return next((one for one in map(asset, _FILES) if one.name == name), None)
