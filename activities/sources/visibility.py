"""Words of visibility queries. A queue's name is whatever its user likes; in a query it is a value and nothing else."""


def quoted(text: str) -> str:
    r"""A text as a value in a query, in the quotes that the server's parser reads: it takes backslashes for escapes.

    `O'Hara\payroll` becomes `'O''Hara\\payroll'`.
    """
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
