"""Events as rows of tables: the columns of each kind, Parquet files, CSV, and queries over a recording."""
