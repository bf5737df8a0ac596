"""Many identifiers, one customer: the log of links, who is who as of an instant, and history as those persons' own."""
