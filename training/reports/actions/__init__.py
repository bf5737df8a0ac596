"""Each action as it went: how often it was made and withheld, answered, and refused by the customer; and under which
policy decisions were made. `artefact.py` the figures · `job.py` makes them from history."""
