"""The report inside the page."""

from pathlib import Path

import streamlit as st

from dowgan.app.desk import Desk
from dowgan.app.fitting import REFRESH
from dowgan.app.intake import complain, plain
from dowgan.app.jobs import Judging
from dowgan.report import Report
from dowgan.synthesizer import Synthesizer
from dowgan.table import Table

HEIGHT = 900
ICONS = {"good": ":material/check:", "look": ":material/visibility:", "bad": ":material/error:"}


def show_report(desk: Desk, table: Table | None, model: Synthesizer) -> None:
    """Test the model, and show what was found."""
    st.markdown(
        "**How far to trust it.** Each verb and each column is tested on rows that the tested model has not seen, "
        "beside what real rows and plain methods score. For the fitted table that is a second model, fitted on its "
        "early rows."
    )
    if table is None:
        st.info("It needs a table: bring the one that the model was fitted on, or another like it, at the top.")
    elif desk.judging is None:
        st.button("Test the model", type="primary", on_click=desk.judge)
        st.caption("It takes about as long as the fit, and some more.")
    elif not desk.judging.done:
        _watch(desk, desk.judging)
    elif desk.judging.report is None:
        complain(desk, desk.judging.error)
        st.button("Test again", on_click=desk.judge)
    else:
        _found(desk, desk.judging.report, desk.judging.page)


@st.fragment(run_every=REFRESH)
def _watch(desk: Desk, job: Judging) -> None:
    if job.done or desk.judging is not job:
        st.rerun()
    st.info(f"{job.phase.capitalize()} …", icon=":material/hourglass:")
    st.button("Give up", on_click=job.abandon)


def _found(desk: Desk, report: Report, page: Path) -> None:
    for sentence in report.verdict:
        if sentence.tag is None:
            st.markdown(f"{ICONS[sentence.mark]} **{sentence.verb}**: {plain(sentence.text)}")
    st.download_button(
        "Report", page.read_bytes, f"{desk.stem}-report.html", "text/html", key="report-file",
        on_click="ignore", icon=":material/download:",
    )  # fmt: skip
    st.iframe(page, height=HEIGHT)
