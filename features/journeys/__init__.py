"""Sequences as journeys: what customers do one after the other, where it leads, and where it stops.

A **step** is one type on one channel in one direction ("page view on the web"). Repeats in a row are one step: ten
pages, or the lines of a basket, are one thing that a customer did. Topics are left out: they would split what people
see as one step into dozens. A survey (how a customer feels about the company) is no step, unless it is the goal or a
sign of life: its rating is of the last step of the journey that it falls into, and of nothing where the last one's
pause is over.

A **journey** is one customer's steps towards the goal (`goal` in tactful.yaml). It begins with their first interaction,
with whatever comes after a goal, or with whatever comes after a *pause*: the customer themselves did nothing for
`churn.horizon_days` (what we send them keeps no journey alive, else a weekly newsletter would make one endless journey
of a year). It ends

- at the **goal**, with the visit in which it is reached (what follows within half an hour of each other belongs to it:
  other lines of the basket, the receipt; but who says then that they leave begins a journey with it);
- **quiet**, when such a pause is over;
- or it is still **open**: the pause may yet end.

Counts are of journeys, and of customers, each once. Rows are read file by file (reading.py), one kernel traces them
into steps and journeys (trace.py), the result is kept as arrays that a page maps into memory (layout.py, build.py), and
counting it under any filter is another pass over them (counts.py), so that filtered figures are exact and need no cube.
"""
