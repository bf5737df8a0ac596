"""The decision core: pure functions over what was read, one idea a file. It knows no store, no service and no model.

policy (the marketers' files) -> eligibility (rules) -> guard -> arbitration (expected value) -> draw (chance, holdout)
-> decide, which strings them together. `customer` and `profile` are what it is told, `decision` what it answers.
"""
