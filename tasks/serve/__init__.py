"""The book for other programs: HTTP, the Model Context Protocol, and a search page."""
