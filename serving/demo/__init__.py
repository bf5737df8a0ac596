"""The demo: a grocer's real year, played through the product's own commands and HTTP API."""
