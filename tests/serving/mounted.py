"""API and console without their server: mounted as the BentoML service mounts them, with the same middlewares.

Pages may take as long as they like: how long is not what these tests ask, and where a machine is busy a first page may
take longer than a reader is kept waiting.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import ASGIApp

from serving.api import Api, create_api
from serving.around import layers
from serving.auth import Keyring, hashed, new_key
from serving.console.app import Console
from serving.console.helper import Helper
from serving.console.writing import Draw
from serving.engine import Engine
from serving.problems import outside
from serving.store.protocol import Key

KEY = new_key()
PATIENCE = 300.0
#: Draws pages in a process of its own.
HELPER = Helper(PATIENCE)


def mounted(engine: Engine | None, keys: tuple[Key, ...] = (), draw: Draw = HELPER.run) -> ASGIApp:
    """An ASGI app that knows one key, KEY, which may everything, and `keys`; pages are drawn by `draw`."""
    ring = Keyring(lambda: [Key("test", hashed(KEY), "admin", 0), *keys])
    api = create_api(lambda: engine)
    mounts = [Mount("/v1", Api(api)), Mount("/console", Console(lambda: engine, lambda: ring, draw, PATIENCE))]
    app: ASGIApp = Starlette(routes=mounts, exception_handlers={HTTPException: outside})
    for layer, options in reversed(layers(api, lambda: ring)):
        app = layer(app, **options)
    return app
