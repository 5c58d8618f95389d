"""What a table was understood to be, for the eye."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dowgan.table import Table


WIDE = 160  # letters of a line that is written to no terminal


def show(table: "Table", quiet: bool) -> None:
    """What was understood of the table, and how to change it."""
    if quiet:
        return
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Grid

    from dowgan.table import describe

    said = describe(table)
    grid = Grid(box=box.SIMPLE_HEAD, title=escape(f"{said.size}; clock: {said.clock}"), title_justify="left")
    for name in ("column", "kind", "rules", "missing", "first value"):
        grid.add_column(name, overflow="fold")
    for line in said.lines:
        grid.add_row(*map(escape, (line.name, line.kind, line.rules, line.missing, line.example)))
    console = Console(stderr=True)
    if not console.is_terminal:  # a file or a pipe, which has no edge to wrap at
        console = Console(stderr=True, width=WIDE)
    console.print(grid)
    for note in said.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print("To change this: --time COL, --run COL, --condition COL, --missing VALUE.", style="dim")
