"""Reaching out by ourselves: triggers become decisions, decisions wait in the outbox, channels fetch or are called."""
