"""PDF files, for the final scan: pages, their fonts, and files that open without a password."""
