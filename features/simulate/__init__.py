"""A market with known causal effects: what policies earn, and what they do to customers, judged against the truth.

parameters and actions    the numbers, at three settings, and their sources
randomness                numbers by counter: the same luck for every policy
traits, state             what customers are like, and what changes
spontaneous               buying, visits, incidents, leaving                  day: the loop over customers
pressure, response        what a contact does, as load builds up              contacting: a contact happens
worth, truth, oracle      the long run in closed form; each treatment's true effect; who knows them all
policy, market, outcome   what a policy sees and answers; playing it; what it was worth
withholding               a policy some of whose contacts are drawn and not made
holding, experiment       customers who are sold nothing, and customers who live under plainer plays
liking                    what customers click on, which is no effect
capped                    contacts at random under caps whose size is drawn by chance
events, log, decided      what is written down: interactions and decisions    output: a folder of them
"""
