"""Policies judged in the simulated market: learned from its randomised log, played through the engine, told in a table.

news of every day -> ledger (records for the kernel, by cohort) -> features as of a morning (catalogue.py, kernel)
-> logbook (randomised decisions with what came of them) -> learner (what a contact adds, costs and spoils)
-> players (the vectorised decision core under a policy file) -> table

evidence (what could be counted) -> guesses (what customers may be like, given the equations): how far logs tell
"""
