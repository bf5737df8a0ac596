"""Property tests run without a deadline: the first example may compile the kernel."""

from hypothesis import settings

settings.register_profile("tactful", deadline=None)
settings.load_profile("tactful")
