"""Keeping the book sound: forgetting on demand, sweeping by age, verifying and repairing."""
