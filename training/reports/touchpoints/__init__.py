"""Which touchpoints matter most, how well we do there, and what to improve first.

A **touchpoint** is one type on one channel in one direction, or a topic over all of them (but for the goal itself).
What it is worth is read from customers who had it against customers alike who had not:

- a row is a customer at an instant: a survey that they answered (satisfaction), or one of up to twelve cut-offs, four
  weeks apart (churn, value); `exposed` says whether they had the touchpoint in the four weeks before;
- *alike* is what the kernel's features know of them as of the beginning of these four weeks. Outcome and exposure are
  each predicted from them, on customers that the prediction did not learn from, and the effect is the slope of what is
  left of the one on what is left of the other (Robinson 1988; Chernozhukov and others, The Econometrics Journal 2018),
  with errors that know that a customer's rows belong together, and Student's t by the customers who had it;
- where few customers make up so much of the outcome that the slope would be drawn skewed (statistics.MOST_SKEW), there
  are too few to tell;
- Holm's correction over all touchpoints keeps false alarms apart from findings;
- a **look back**: the same slope for the touchpoint in the four weeks *after* the outcome, which it cannot have caused.
  Where that is there as well, such customers differed beforehand, and the touchpoint is not said to matter;
- the **E-value** (VanderWeele and Ding, Annals of Internal Medicine 2017): how strongly something that nobody logged
  would have to go with both touchpoint and outcome, as a ratio of risks, to explain the interval away.

This is association, not proof of cause: nobody drew lots over who has a billing question.
"""
