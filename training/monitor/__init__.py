"""`tactful monitor`: is what we serve still as good as when it was trained, and do the data still flow?

`reference.py` what a training run keeps of its data · `psi.py` how far two distributions are apart · `drift.py` the
newest customers against the reference · `quality.py` matured labels · `effects.py` models of effects, `uplift.py` and
`fatigue.py` each of them · `flow.py` the data themselves · `look.py` all of it for a workspace · `report.py` what was
found, `exposition.py` for Prometheus; people read it in the models report.
"""

from training.monitor.drift import drift_alarm

__all__ = ["drift_alarm"]
