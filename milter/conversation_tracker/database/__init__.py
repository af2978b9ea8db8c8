"""Everything that talks to PostgreSQL for mail: connections, statements, rows, migrations, sql/."""
