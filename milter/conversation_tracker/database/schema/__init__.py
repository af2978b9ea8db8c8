"""The database's schema: its files, its functions and views, and what its tables are like."""
