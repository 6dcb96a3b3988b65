"""The PostgreSQL sink: needs psycopg, the extra ``postgresql``."""
