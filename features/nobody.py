"""What stands in the head of a page that was drawn from a report's figures: it names nobody, and outlives everybody."""

OF_NOBODY = '<meta name="generator" content="Tactful: a report, of no single customer">'
