"""The third part of the page: settings, a live fit, and how it ended."""

import streamlit as st

from dowgan import figures
from dowgan.app.desk import Desk
from dowgan.app.intake import complain, plain, sentences
from dowgan.app.jobs import Fit
from dowgan.app.pictures import numbers, windows
from dowgan.catalogue import catalogue
from dowgan.config import DEFAULT_RECIPE, Config, resolve, seconds
from dowgan.model import Model
from dowgan.progress import fidelity_name, gain
from dowgan.synthesizer import Synthesizer
from dowgan.table import Schema, Table

BUDGET = "1m"
TIMES = (
    "Such as 90s, 5m or 1h. Finding season and distributions before it, and the correction of what the model draws "
    "after it, take their own time."
)
WITHOUT_NETWORK = (
    "This recipe trains no network: there are no losses to watch and nothing to stop. adversarial is one that does."
)
REFRESH = 1.5  # seconds between two looks at a running job
MOST_SEED = 2**31


def show_fit(desk: Desk, table: Table | None) -> None:
    """Let the user fit a model; show how it gets on and how it ended, or the model that was opened instead."""
    opened = isinstance(desk.opened, Synthesizer)
    st.subheader("3 · The opened model" if opened else "3 · Fit a model", divider="gray")
    if isinstance(desk.opened, Synthesizer):
        _show_opened(desk, desk.opened)
    elif desk.fit is not None:
        _ended(desk, desk.fit) if desk.fit.done else _watch(desk, desk.fit)
    elif table is not None:
        _settings(desk, table)


def _settings(desk: Desk, table: Table) -> None:
    phrases = catalogue("recipes")["recipes"]
    with st.form("settings"):
        left, right = st.columns(2)
        budget = left.text_input("Longest training time", BUDGET, help=TIMES)
        seed = right.number_input("Seed", 0, MOST_SEED, 0, help="The same seed gives the same model.")
        names = list(phrases)
        recipe = st.selectbox(
            "Recipe", names, index=names.index(DEFAULT_RECIPE), help="; ".join(f"{n}: {t}" for n, t in phrases.items())
        )
        if st.form_submit_button("Fit", type="primary", icon=":material/play_arrow:"):
            with sentences(desk):
                config = resolve(recipe, {"train.budget": seconds(budget)})
                desk.fit = Fit(table, config, int(seed))
                desk.fit.start()
                st.rerun()


@st.fragment(run_every=REFRESH)
def _watch(desk: Desk, fit: Fit) -> None:
    if fit.done or desk.fit is not fit:
        st.rerun()
    st.progress(fit.share, _state(fit))
    if fit.step:
        _figures(fit)
    if fit.real is not None and fit.made is not None:
        tag = choose_tag("Watch", fit.table.schema, "watched")
        if tag is not None:
            st.plotly_chart(windows(fit.real, fit.made, fit.table.schema, tag), key="windows")
    if fit.checks and fit.curves:
        _losses(fit)
    if not fit.config.trained:
        st.caption(WITHOUT_NETWORK)
    if not fit.training:
        st.button("Give up", on_click=desk.drop_fit, icon=":material/close:")
        return
    st.button(f"Stop and keep the {fit.config.train.keep}", on_click=fit.stop, icon=":material/stop:")


def _state(fit: Fit) -> str:
    text = f"{fit.phase[0].upper()}{fit.phase[1:]}"
    if not fit.training or fit.left is None:
        return text
    return f"{text}: step {fit.step:,} of {fit.steps:,}, at most {_duration(fit.left)} left"


def _figures(fit: Fit) -> None:
    shown = {
        "steps a second": f"{fit.rate:.1f}",
        "fidelity now": f"{fit.fidelity[-1]:.4f}" if fit.fidelity else "not yet",
        "best fidelity": f"{min(fit.fidelity):.4f}" if fit.fidelity else "not yet",
    }
    for place, (name, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        place.metric(name, value)
    name = fidelity_name(fit.config).capitalize()
    st.caption(f"{name}: how far generated windows are from real ones. Lower is better.")


def _losses(fit: Fit) -> None:
    count = min(map(len, fit.curves.values()))
    curves = {name: values[:count] for name, values in fit.curves.items()}
    checks, fidelity = list(fit.checks), list(fit.fidelity)
    chosen = checks[fidelity.index(min(fidelity)) if fit.config.train.keep == "best" else -1]
    st.plotly_chart(figures.losses(range(1, count + 1), curves, checks, fidelity, chosen), key="losses")


def choose_tag(label: str, schema: Schema, key: str) -> str | None:
    """The column that the user wants to see drawn, None if none can be."""
    names = numbers(schema)
    return st.selectbox(label, names, key=f"{key}-tag") if names else None


def _duration(left: float) -> str:
    return f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"


def _ended(desk: Desk, fit: Fit) -> None:
    if fit.error or fit.model is None:
        complain(desk, fit.error)
    else:
        took, stopped = _duration(fit.model.fit_seconds_ or 0.0), fit.model.model_.training.stopped
        st.success(plain(f"Fitted in {took}: {stopped}."), icon=":material/check:")
        _show_training(fit.model.model_)
    st.button("Fit again", on_click=desk.drop_fit, icon=":material/replay:")


def _show_opened(desk: Desk, opened: Synthesizer) -> None:
    model = opened.model_
    rows, recipe = sum(past.rows for past in model.past), Config.model_validate_json(model.recipe).recipe
    text = f"{desk.opened_label}: recipe {recipe}, fitted on {rows:,} rows"
    st.success(plain(f"{text}: {model.training.stopped}."), icon=":material/check:")
    _show_training(model)
    st.caption("To fit another model, remove the file above.")


def _show_training(model: Model) -> None:
    """What training brought, and its curves; nothing if no network was trained."""
    record, brought = model.training, gain(model)
    if brought is None:
        return
    st.markdown(plain(f"{brought[0].upper()}{brought[1:]}."))
    with st.expander("Losses and fidelity", icon=":material/show_chart:"):
        st.plotly_chart(
            figures.losses(record.steps, record.losses, record.checks, record.fidelity, record.chosen), key="record"
        )
