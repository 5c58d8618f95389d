"""The first two parts of the page: the table, and what was understood of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dowgan.app.desk import Desk, Roles
from dowgan.app.jobs import ENGINE
from dowgan.errors import UserError
from dowgan.table import Table, describe

LIKE = "A CSV (.csv, .csv.gz, .tsv) or Parquet file: one row per time, one column per measurement."
MODEL = "A model file (.dowgan), from this page or from `dowgan fit`. It needs no table to generate and to extend."
EXAMPLE_CONDITIONS = ("grade",)
MOST_LINES = 12  # of the table of columns, before it scrolls


@contextmanager
def sentences(desk: Desk) -> Iterator[None]:
    """Show a mistake of the user as its sentence."""
    try:
        yield
    except UserError as error:
        complain(desk, error)


@contextmanager
def at_work(desk: Desk, doing: str) -> Iterator[None]:
    """Compute when no other window does; a mistake is shown as its sentence."""
    waiting = "Waiting for the work of another window to end, then " if ENGINE.locked() else ""
    with sentences(desk), st.spinner(f"{waiting}{doing}"), ENGINE:
        yield


def complain(desk: Desk, error: UserError | str) -> None:
    """Show a sentence that says what is wrong; what a file holds is shown letter by letter."""
    st.error(plain(desk.sentence(error)), icon=":material/error:")


def plain(text: str) -> str:
    """A text whose signs Markdown leaves alone."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|~>$:<" else c for c in text)


def show_table(desk: Desk) -> None:
    """Let the user bring a table, or take the example."""
    st.subheader("1 · Your table", divider="gray")
    upload = st.file_uploader(LIKE, key=f"upload-{st.session_state.get('uploads', 0)}", help=f"At most {_limit()} MB.")
    if upload is not None and st.session_state.get("taken") != upload.file_id:
        st.session_state.taken = upload.file_id
        desk.take(upload.getvalue(), upload.name)
    if upload is None and st.session_state.get("taken"):
        st.session_state.taken = None
        desk.clear()
    if desk.source is None:
        st.caption("No table at hand? The example is two weeks of a simulated stirred tank, every ten minutes.")
        st.button("Use the example", on_click=desk.take_example, icon=":material/science:")
    elif upload is None:
        st.success(f"The example is loaded: {plain(desk.label)}", icon=":material/science:")
        st.button("Put it away", on_click=desk.clear)
    with st.expander("Open a model that was saved before", icon=":material/folder_open:"):
        _show_opening(desk)


def _show_opening(desk: Desk) -> None:
    upload = st.file_uploader(MODEL, key="model-upload", help=f"At most {_limit()} MB.")
    if upload is not None and st.session_state.get("opened") != upload.file_id:
        st.session_state.opened = upload.file_id
        desk.drop_fit()
        with at_work(desk, "opening the model"):
            desk.open_model(upload.getvalue(), upload.name)
    if upload is None and st.session_state.get("opened"):
        st.session_state.opened = None
        desk.close_model()
    if isinstance(desk.opened, UserError):
        complain(desk, desk.opened)


def _limit() -> int:
    return int(st.get_option("server.maxUploadSize"))


def show_understood(desk: Desk) -> Table | None:
    """Show what was understood, and let the user change it; None if the table cannot be used as it is."""
    st.subheader("2 · What was understood", divider="gray")
    room = st.container()
    found = st.session_state.get(f"wrong-{desk.number}", False)
    with st.expander("Change what was understood", expanded=found, icon=":material/tune:"):
        roles = _roles(desk)
    wrong = True
    with room, sentences(desk):
        table = desk.table(roles)
        _describe(table)
        wrong = False
    if wrong != found:
        st.session_state[f"wrong-{desk.number}"] = wrong
        st.rerun()
    if wrong:
        st.caption("Change what was understood above, or bring another table.")
        return None
    return table


def _describe(table: Table) -> None:
    said = describe(table)
    st.markdown(f"{plain(said.size)}. Clock: {plain(said.clock)}.")
    rows = [
        {
            "column": plain(line.name),
            "kind": plain(line.kind),
            "unit and rules": plain(line.rules),
            "missing": plain(line.missing),
            "first value": plain(line.example),
        }
        for line in said.lines
    ]
    with st.container(height=420 if len(rows) > MOST_LINES else "content", border=False):
        st.table({name: [row[name] for row in rows] for name in rows[0]})
    for note in said.notes:
        st.caption(f"Note: {plain(note)}")


def _roles(desk: Desk) -> Roles:
    names, key = desk.names(), desk.number
    fixed = desk.fit is not None or desk.model is not None
    own = [name for name in (EXAMPLE_CONDITIONS if desk.example else ()) if name in names]
    if desk.fit is not None:
        st.caption("A model stands on it. To change it, press 'Give up' or 'Fit again' below first.")
    elif fixed:
        st.caption("It is read as the table of the opened model.")
    time = st.selectbox(
        "Time column", names, index=None, placeholder="found by itself", key=f"time-{key}", disabled=fixed
    )
    runs = st.multiselect(
        "Columns that tell runs, batches or units apart", names,
        placeholder="none", key=f"runs-{key}", disabled=fixed,
    )  # fmt: skip
    conditions = st.multiselect(
        "Conditions: columns that you set rather than measure, such as a grade or a set-point", names, default=own,
        placeholder="none", key=f"conditions-{key}", disabled=fixed,
    )  # fmt: skip
    missing = st.text_input(
        "Numbers or words that stand for a missing value, with spaces between them",
        placeholder="such as -200 Bad", key=f"missing-{key}", disabled=fixed,
    )  # fmt: skip
    return Roles(time, tuple(runs), tuple(conditions), tuple(missing.split()))
