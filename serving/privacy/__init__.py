"""Privacy: what is kept of someone is handed out, deleted, or left alone; what is old goes."""
