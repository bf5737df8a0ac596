"""The log as arrays, each customer's rows together and in order: what reports read that look at whole histories.

To read and sort a long log costs far more than most of what is asked of it, so the sorted rows are kept (kept.py), by
the ids that history carries, and what came in since is merged into them (rows.py). Who is who is worked out anew each
time: identities may change, and the rows need not be read again.
"""
