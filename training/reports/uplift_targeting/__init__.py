"""Whom contacts move, and whom to leave alone: customers sorted by the effect that a model expects of them.

artefact   what was found, as data
measure    tenths, the curve of gains with its band, and groups, from scores of customers that no model saw
bands      intervals that hold for a whole curve at once
traits     what a group's customers are like
words      the sentences
people     who stands in which group, by name
log        from the champion's effects on logged decisions later than those it learned from
campaign   from any campaign table, effects cross-fitted
"""
