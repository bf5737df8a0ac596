"""`tactful train fatigue`: what one more contact now costs, learned where chance decided who was contacted.

log         history's decisions, contacts and what customers did, as arrays
trials      decisions with the chance of a contact, the pressure just before, and what came soon after
fading      sums that fade
curve       opt-outs and complaints by channel and pressure, with intervals; a smooth curve through them
spending    what a contact sells soon and costs for long
levels      customers under randomised cap levels: all consequences of one more contact together
differs     whom contacts harm more; standard: the features that this is about
harm        the three, priced and added up: the file that the service reads
fit         all of it as one function
often       how many contacts a week pay; advice: whether the log can tell; saturation: customers' standing by channel
judge       on later decisions; report, wording: what was found
train       into MLflow, champion or challenger; standing, commands: on the command line
"""
