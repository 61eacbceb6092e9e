"""How old databases become new ones: Alembic's environment, and in ``versions`` one file per schema revision.

Each revision is frozen when it is released, and imports nothing of fitbook's that could change under it. A new one
changes `fitbook.store._tables` and `SCHEMA_REVISION` there, adds a file here and its number to
`fitbook.store._upgrade.OLDER`, and a dump of a small database to ``tests/store/schemas``. New databases are made from
the tables at once; a test compares what the two ways lead to, on every kind of database.
"""
