"""`tactful report uplift`: what contacts caused, in total against the universal holdout and one by one against ghosts.

log         history by day: goals, opt-outs, signs of life, and what was drawn in each decision
events      what a customer did between two instants
planned     the shares that the policy of each decision meant
holdout     the whole programme: customers as assigned, held out or not
ghosts      contacts made against contacts withheld, by action, channel, segment and month
clustered   the statistics of that
arms        next best action against the plays of an impact experiment
returns     what contacts cost and brought
words       sentences
job         all of it, as one artefact
"""
