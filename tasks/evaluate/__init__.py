"""How well search finds what it should: questions with known answers, and the measures."""
