"""How well search finds, and a model answers: questions with known answers, and the measures."""
