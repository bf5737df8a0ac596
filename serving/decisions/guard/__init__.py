"""The contact-fatigue guard: which candidates may reach this customer now; if not, every reason and until when.

gates (what a rule is) <- consent, rests, quiet, pressure, caps, signals (one kind of rule each) <- counting (which caps
are full) <- guard (all of them)
"""

from serving.decisions.guard.guard import Guard, calendar_of, judge, judge_claim, stamp

__all__ = ["Guard", "calendar_of", "judge", "judge_claim", "stamp"]
