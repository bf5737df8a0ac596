"""The public API: reads requests, asks the engine, writes answers. No logic here; one noun a file."""

from serving.api.app import Api, create_api
from serving.api.routes import Route, reply

__all__ = ["Api", "Route", "create_api", "reply"]
