"""What a policy would have earned, from the log of another: estimators, intervals, diagnostics, and the what-if."""
