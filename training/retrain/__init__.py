"""`tactful retrain`: from the live store to new champions, in one command that a scheduler may call, kill, call again.

`journal.py` which steps are done · `parts.py` data sets on disk between steps · `steps.py` what each step does ·
`basis.py` what it rests on beside the data, and what of it changed · `leftovers.py` what a kill left in MLflow ·
`run.py` one run after another · `summary.py` what it came to.
"""
