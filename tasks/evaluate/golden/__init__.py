"""Golden sets: questions that are asked again and again, and what a good answer to each is."""
