"""The API without its server: /v1 mounted as the BentoML service mounts it, with the same middlewares around it."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from serving.api import Api, create_api
from serving.auth import Keyring, RequireKey, hashed, new_key
from serving.engine import Engine
from serving.limits import BodyLimit
from serving.problems import outside
from serving.store.protocol import Key

KEY = new_key()


def mounted(engine: Engine | None) -> BodyLimit:
    """An ASGI app that knows one key, KEY, which may everything."""
    ring = Keyring(lambda: [Key("test", hashed(KEY), "admin", 0)])
    app = Starlette(routes=[Mount("/v1", Api(create_api(lambda: engine)))], exception_handlers={HTTPException: outside})
    return BodyLimit(RequireKey(app, lambda: ring))
