"""The page itself, from top to bottom: the table, what was understood, the fit, and what to do with the model."""

import streamlit as st

from dowgan.app.desk import Desk
from dowgan.app.fitting import show_fit
from dowgan.app.intake import show_table, show_understood
from dowgan.app.verbs import show_verbs

INTRO = (
    "A table of measurements over time goes in. Out come **synthetic rows** like it, the **same series at a finer "
    "step**, or the **series past its end**, and a report that says how far to trust them. "
    "Everything is computed on this computer; nothing leaves it."
)


@st.cache_resource(scope="session", on_release=Desk.leave, show_spinner=False)
def _held() -> Desk:
    """Ties the desk to the browser: it is let go when the browser is gone."""
    desk: Desk = st.session_state.desk
    desk.come_back()
    return desk


def main() -> None:
    """Draw the page for one session."""
    st.set_page_config(page_title="DowGAN", layout="centered")
    st.session_state.setdefault("desk", Desk())
    desk = _held()
    st.title("DowGAN")
    st.markdown(INTRO)
    show_table(desk)
    table = show_understood(desk) if desk.source is not None else None
    if table is not None or desk.model is not None:
        show_fit(desk, table)
    if desk.model is not None:
        show_verbs(desk, table)


if __name__ == "__main__":
    main()
