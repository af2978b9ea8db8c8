"""What of the documentation is generated: each page, or part of one, from the program itself."""
