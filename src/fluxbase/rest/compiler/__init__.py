"""From an abstract query and the catalog to one SQL statement with one parameter. Pure, and SQL is made nowhere else.

The text holds keywords of ours, identifiers of the catalog in double quotes, and `($1::pg_catalog.text[])[n]`; every
value of the client is an element of that one parameter, and cast to the column's type by PostgreSQL. Only the numbers
of LIMIT and OFFSET stand in the text themselves: a kept plan has to know them. PostgreSQL's own functions, operators
and types are named with their schema: else the one whose arguments fit best is called, whoever made it. Each statement
answers one row: `body`, the JSON array of the rows (NULL for none), `rows`, how many there are, and `total`, how many
there would be without a limit.
"""

from fluxbase.rest.compiler.functions import compile_call
from fluxbase.rest.compiler.statement import Statement
from fluxbase.rest.compiler.tables import compile_query

__all__ = ["Statement", "compile_call", "compile_query"]
