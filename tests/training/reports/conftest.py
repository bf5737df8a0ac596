"""Property tests run without a deadline: a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("tactful", deadline=None)
settings.load_profile("tactful")
