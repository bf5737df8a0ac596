"""`tactful train uplift`: what each action causes, learned from logged decisions with their distributions and ghosts.

decisions   history's log as arrays: who, when, what was drawn, with which probability what else
outcomes    goal interactions and money in the response window, alike for what was made and what was not
inputs      the logged feature vectors as numbers that effects are functions of
pairs       one action (or treatment) against nothing: chances, residuals, scores
clusters    means and their errors where one customer counts several times
learners    lines and small trees, on scores or of each side apart: those that the service can ask in a microsecond
choose      one of them, a blend or one effect for all, by cross-validated loss
shrink      levels of actions with few data move towards their group's, and that towards the stated prior
learn       from earlier decisions to arms
judge       the arms on later decisions; report, words: what was found
findings    of each arm, from what was learned and judged to the report
champion    whether it may take over: its loss on later decisions against the champion's
train       all of it, into MLflow, champion or challenger
"""
