"""The fourth part of the page: generate, densify and extend, the report, and the model file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from dowgan.app import pictures
from dowgan.app.desk import Desk, Made
from dowgan.app.fitting import MOST_SEED, choose_tag
from dowgan.app.intake import at_work, plain
from dowgan.app.judging import show_report
from dowgan.errors import OptionError
from dowgan.extension import BANDS
from dowgan.synthesizer import Synthesizer
from dowgan.table import Schema, Table, read, to_frame

MOST_ROWS = 1_000_000
MOST_STEPS = 100_000
MOST_PATHS = 2_000
PREVIEW = 8
ANY = "any"
FORMATS = ((".csv", "CSV", "text/csv"), (".parquet", "Parquet", "application/vnd.apache.parquet"))


def show_verbs(desk: Desk, table: Table | None) -> None:
    """Offer what a fitted model can do; the table is missing where a model was opened without one."""
    model = desk.model
    assert model is not None
    st.subheader("4 · Use it", divider="gray")
    parts = {"Generate": _generate, "Densify": _densify, "Extend": _extend, "Report": show_report, "Model": _model}
    for tab, show in zip(st.tabs(list(parts)), parts.values(), strict=True):
        with tab:
            show(desk, table, model)


def _generate(desk: Desk, table: Table | None, model: Synthesizer) -> None:
    st.markdown("**A synthetic series** with the same columns, kinds, units and step. No row of it is a real one.")
    each = " of each run" if model.schema.run_names else ""
    with st.form("generate"):
        left, right = st.columns(2)
        rows = left.number_input(f"Rows{each}", 1, MOST_ROWS, None, placeholder="as many as the table has")
        runs = right.number_input("Independent runs", 1, MOST_ROWS, None, placeholder="as the table")
        start = left.text_input("First time", placeholder="as the table", disabled=model.schema.clock.kind == "row")
        seed = right.number_input("Seed", 0, MOST_SEED, 0, help="Another seed gives another series.")
        where = _where(model.schema, "generate")
        with st.expander("More"):
            given = _given(desk, "generate")
            some = bool(model.model_.gaps.columns)
            gaps = st.checkbox("Leave cells empty in the pattern of the table's own", disabled=not some)
        asked = st.form_submit_button("Generate", type="primary")
    if asked:
        with at_work(desk, "generating"):
            frame, _ = model.generated(rows, runs, start.strip() or None, where, given, int(seed), gaps)
            desk.made["synthetic"] = Made(lambda: frame, model.schema, f"{len(frame):,} synthetic rows", table)
    made = desk.made.get("synthetic")
    if made is not None:
        _show(desk, made, "synthetic", lambda tag: _beside(made, tag))


def _beside(made: Made, tag: str) -> object:
    """The synthetic series, over the real one if there is one."""
    frame, schema = made.frame(), made.schema
    lead = ("run",) if frame.columns[0] not in [c.name for c in schema.columns] else ()
    return pictures.beside(
        _curve_of(made.origin, tag), pictures.curve_of(frame, schema, tag, schema.run_names or lead), tag
    )


def _curve_of(table: Table | None, tag: str) -> pictures.Curve | None:
    """The first run of a table."""
    if table is None:
        return None
    return pictures.curve_of(to_frame(table.schema, table.runs[:1]), table.schema, tag, ())


def _densify(desk: Desk, table: Table | None, model: Synthesizer) -> None:
    st.markdown("**The same series at a finer step.** Every value that was there is kept as it is.")
    with st.form("densify"):
        left, right = st.columns(2)
        factor = left.number_input("New steps per old step", 1, 10_000, 4)
        every = right.text_input("Or the new step itself", placeholder="such as 10min").strip()
        with st.expander("More"):
            other = _other(desk, "densify")
        asked = st.form_submit_button("Densify", type="primary")
    if asked:
        with at_work(desk, "densifying"):
            coarse = _given_table(desk, other, model)
            if coarse is None:
                raise OptionError("There is no table to make finer; bring one at the top of the page, or under More.")
            frame, schema, notes = model.densified(coarse, None if every else int(factor), every or None, 0)
            sentence = "; ".join((f"{len(frame):,} rows, {coarse.known_rows:,} of them as they came", *notes))
            desk.made["finer"] = Made(lambda: frame, schema, sentence, coarse)
    made = desk.made.get("finer")
    if made is not None:
        _show(desk, made, "finer", lambda tag: _finer(made, tag))


def _finer(made: Made, tag: str) -> object:
    points = _curve_of(made.origin, tag)
    assert points is not None, "it was made of a table"
    return pictures.finer(points, pictures.curve_of(made.frame(), made.schema, tag, made.schema.run_names), tag)


def _given_table(desk: Desk, other: Path | None, model: Synthesizer) -> Table | None:
    """Another table, or else the one of the page, read as the model's; None if there is neither."""
    path = other or desk.source
    return None if path is None else read(path, schema=model.schema)


def _extend(desk: Desk, table: Table | None, model: Synthesizer) -> None:
    st.markdown("**The rows that may follow**, along many paths: their median, and a band between which they lie.")
    with st.form("extend"):
        left, right = st.columns(2)
        steps = left.number_input("Rows to add", 1, MOST_STEPS, 52)
        paths = right.number_input("Paths", 2, MOST_PATHS, 200)
        share = left.number_input("Share of paths within the band", 0.01, 0.99, BANDS, 0.05)
        seed = right.number_input("Seed", 0, MOST_SEED, 0, key="extend-seed", help="Another seed, other paths.")
        where = _where(model.schema, "extend")
        with st.expander("More"):
            given, other = _given(desk, "extend"), _other(desk, "extend")
        asked = st.form_submit_button("Extend", type="primary")
    if asked:
        with at_work(desk, "extending"):
            before = _given_table(desk, other, model)
            result = model.extended(before, int(steps), int(paths), where, given, int(seed))
            band = result.band(share)
            sentence = f"{len(band):,} rows: the median of {paths:,} paths, and the ends of the band as _lo and _hi"
            desk.made["longer"] = Made(lambda: band, result.schema, sentence, before)
            desk.made["paths"] = Made(lambda: result.paths, result.schema, "every path", before)
            desk.share = share
    made = desk.made.get("longer")
    if made is not None:
        _show(desk, made, "longer", lambda tag: _longer(desk, made, tag))
        st.caption("Every path, one under the other:")
        _downloads(desk, "paths")


def _longer(desk: Desk, made: Made, tag: str) -> object:
    schema, runs = made.schema, made.schema.run_names
    middle, low, high = (
        pictures.curve_of(made.frame(), schema, name, runs)
        for name in (tag, *(f"{tag}_{side}{100 * desk.share:g}" for side in ("lo", "hi")))
    )
    return pictures.longer(_curve_of(made.origin, tag), middle, low[1], high[1], tag)


def _show(desk: Desk, made: Made, name: str, draw: Callable[[str], object]) -> None:
    """A result: what it is, the downloads, a picture of one tag, and its first rows."""
    st.success(plain(f"{made.sentence}."), icon=":material/check:")
    _downloads(desk, name)
    tag = choose_tag("Show", made.schema, name)
    if tag is not None:
        st.plotly_chart(draw(tag), key=f"{name}-picture")
    st.caption("The first rows:")
    st.dataframe(made.frame().head(PREVIEW))


def _downloads(desk: Desk, name: str) -> None:
    for place, (ending, title, kind) in zip(st.columns(len(FORMATS)), FORMATS, strict=True):
        place.download_button(
            title, partial(desk.file, name, ending), f"{desk.stem}-{name}{ending}", kind,
            key=f"{name}-{title}", on_click="ignore", icon=":material/download:", width="stretch",
        )  # fmt: skip


def _where(schema: Schema, verb: str) -> dict[str, str]:
    """Conditions to hold at a value."""
    out = {}
    for column in (c for c in schema.channels if c.role == "condition"):
        label, key = f"Hold {plain(column.name)} at", f"{verb}-where-{column.name}"
        levels = list(column.labels)
        value = (
            st.selectbox(label, [ANY, *levels], key=key)
            if levels
            else st.text_input(label, placeholder="as the model draws it", key=key)
        )
        if value.strip() and value != ANY:
            out[column.name] = value.strip()
    return out


def _given(desk: Desk, verb: str) -> Path | None:
    """A table of columns that are given row by row."""
    text = "A table of columns that are given row by row, if there is one: the others follow it"
    return _kept(desk, st.file_uploader(text, key=f"{verb}-given-{desk.number}"), f"{verb}-given")


def _other(desk: Desk, verb: str) -> Path | None:
    """Another table than the fitted one."""
    text = "Another table with the same columns, if it is not the one above"
    return _kept(desk, st.file_uploader(text, key=f"{verb}-other-{desk.number}"), f"{verb}-other")


def _kept(desk: Desk, upload: object, name: str) -> Path | None:
    return None if upload is None else desk.keep(upload.getvalue(), upload.name, name)  # type: ignore[attr-defined]


def _model(desk: Desk, table: Table | None, model: Synthesizer) -> None:
    st.markdown(
        "**The model as a file.** `dowgan generate`, `densify`, `extend` and `report` take it, and so does "
        "`dowgan.load` in Python. It holds the last rows of your table; it is no anonymisation."
    )
    st.download_button(
        "Model", desk.model_file, f"{desk.stem}.dowgan", "application/octet-stream", key="model-file",
        on_click="ignore", icon=":material/download:",
    )  # fmt: skip
