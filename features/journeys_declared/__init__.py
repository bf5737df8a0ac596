"""Journeys as somebody wrote them down (journeys.yaml), and what customers really do on them."""
