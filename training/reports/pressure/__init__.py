"""Contact pressure: how often whom, what the guard held back and what that is worth, whom to leave alone this week."""
