"""Render the founding study's page and figures from its results: no number is written here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from charts import Panel, chart
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dowgan.config import resolve

HERE = Path(__file__).resolve().parent
RECIPES = (
    "dense-gan", "wgan", "gru-wgan", "conv-gan", "prior", "flagship", "adversarial", "encoder-gan", "wgan-gp", "r3gan",
    "flow", "gru-gan", "gru-gan --from library:counts",
)  # fmt: skip
JUDGED = ("wasserstein", "spread", "ramps", "autocorrelation", "crosscorrelation", "spectrum")
SUBSET = 52
DRAWN = ("dense-gan", "gru-wgan", "flagship")  # recipes whose series are shown
CLOSED = ("prior", "flagship")  # recipes that train nothing
DECKS = ("dense-gan", "wgan", "gru-wgan", "conv-gan", "encoder-gan")
ALONE = ("train.keep=last", "calibrated=false")  # with which a network is judged by itself
Results = Mapping[str, Any]


def recipe_of(name: str) -> tuple[str, str | None]:
    """A row's recipe, and what its training begins with."""
    recipe, _, start = name.partition(" --from ")
    return recipe, start or None


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits that count, never in powers of ten for everyday sizes."""
    if value is None:
        return "-"
    if value and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits - 1}e}"
    places = 0 if not value else max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{places}f}"


def over_seeds(point: Results, key: str, digits: int = 3, flip: bool = False) -> str:
    """The mean over the seeds, and the least and the most."""
    values = np.array([1 - f[key] if flip else f[key] for f in point["fits"]], dtype=float)
    text = number(float(values.mean()), digits)
    if len(values) == 1:
        return text
    return f"{text} ({number(float(values.min()), digits)} .. {number(float(values.max()), digits)})"


def mean_score(entry: Results, name: str, side: str = "value") -> float | None:
    found = [f["scores"][name].get(side) for f in entry["fits"]]
    return None if None in found else float(np.mean(found))


def states(results: Any) -> set[str | None]:
    """The states of the code that a part of the results was measured by; None for one that was not taken down."""
    if isinstance(results, list):
        return set().union(*map(states, results))
    if not isinstance(results, dict):
        return set()
    own = {results.get("code")} if "code" in results or "seconds" in results else set()
    return own.union(*map(states, results.values()))


def measured_by(results: Results) -> str:
    """Say by which states of the code the results were measured."""
    found = states({name: part for name, part in results.items() if name != "transfer"})
    known = sorted(f"`{code}`" for code in found - {None})
    if len(found) == 1 and known:
        return f"all of it by one state of the code, {known[0]}"
    told = f"by {len(known)} states of the code ({', '.join(known)})" if known else ""
    return " and ".join(filter(None, [told, "by earlier states that were not taken down" if None in found else ""]))


def findings(results: Results) -> list[str]:
    """Sentences about the table of scores, each decided by the numbers."""
    entries = results["recipes"]
    shown = {f"`{n}`": e for n, e in entries.items()}
    if "search" in results:
        shown["found by search"] = results["search"]
    near = {n: sum(_at_floor(e, s) for s in JUDGED) for n, e in shown.items()}
    out = [
        f"Scores within the floor's own range (no worse than the worst of the real stretches), of {len(JUDGED)}: "
        + ", ".join(f"{n} {near[n]}" for n in sorted(near, key=lambda n: -near[n]))
        + "."
    ]
    least = min((n for n in DECKS[1:] if n in entries), key=lambda n: mean_score(entries[n], "autocorrelation") or 0)
    first, last = (number(mean_score(entries[n], "autocorrelation")) for n in ("dense-gan", least))
    out.append(
        f"Memory, the fault of single rows: `dense-gan` is off by {first}, the best of the deck's own, `{least}`, "
        f"by {last}."
    )
    unmoved = [n for n, e in entries.items() if n not in CLOSED and not any(f["chosen"] for f in e["fits"])]
    idle = [f"`{n}`" for n in unmoved if resolve(recipe_of(n)[0]).space == "prior"]
    out += [f"`{n}`: no training made it better than it begins." for n in unmoved if recipe_of(n)[1]]
    if idle:
        told = (
            f"The networks of {', '.join(idle)} did not beat the prior on held-out weeks in any training, so none of "
            "their weights are used: their rows are the prior with the calibration."
        )
        alone = " What these networks give by themselves stands below them"
        settings = f" ({' '.join(f'`--set {s}`' for s in ALONE)})."
        out.append(told + (alone + settings if results.get("alone") else ""))
    return out


def _at_floor(entry: Results, score: str) -> bool:
    value, worst = mean_score(entry, score), mean_score(entry, score, "floor_worst")
    return value is not None and worst is not None and value <= worst


def transfer_finding(results: Results) -> str:
    """What the transfer came to, decided by the numbers."""
    found = results["transfer"]["verdict"]
    alone = found["nothing"]["all"]
    reached = [n for n, v in found.items() if n.startswith("library:") and v["third"] <= alone]
    if not reached:
        return "No starting point reaches in a third of the steps what training from nothing reaches in all."
    names = ", ".join(f"`{n}`" for n in reached)
    verb = "is" if len(reached) == 1 else "are"
    return f"In a third of the steps {names} {verb} at or below what training from nothing reaches in all."


# figures


def _losses(entry: Results, title: str) -> Panel:
    lines = {name: (entry["curve"], entry["losses"][name]) for name in ("critic", "generator")}
    return Panel(title, lines)


def figures(results: Results) -> dict[str, str]:
    """Every figure of the page as SVG, by its name; those that show rows of the table only where these are at hand."""
    original = results["original"]
    slope = Panel(
        "norm of the generator's gradient", {"gradient": (original["curve"], original["losses"]["gradient"])}, log=True
    )
    out = {
        "original": chart([_losses(original, "losses by step"), slope], across=2),
        "epochs": chart([_losses(p, f"{p['epochs']} epochs") for p in results["studies"]["epochs"]]),
        "rates": chart([_losses(p, f"rate {p['rate']}") for p in results["studies"]["rates"]]),
    }
    if "transfer" in results:
        out["transfer"] = chart([_transfer(results)])
    return out | (_with_rows(results) if "series" in results["about"] else {})


def _with_rows(results: Results) -> dict[str, str]:
    about, original = results["about"], results["original"]
    shown, weeks = about["shown"], range(about["rows"])
    series, made, pair = [about["series"][name] for name in shown], original["made"], original["parity"]

    def rows(stop: int) -> str:
        return chart(
            [Panel(n, {"real": (weeks[:stop], s[:stop]), "generated": (weeks[:stop], g[:stop])})
             for n, s, g in zip(shown, series, made, strict=True)], across=2,
        )  # fmt: skip

    parity = Panel(
        "generated row i against real row i", {"values": (pair["real"], pair["made"])}, dots=True, diagonal=True
    )
    return {
        "data": chart([Panel(n, {"cases": (weeks, s)}) for n, s in zip(shown, series, strict=True)], across=2),
        "rows": rows(about["rows"]),
        "subset": rows(SUBSET),
        "parity": chart([parity]),
        "recipes": chart(_series(results), across=2),
        "paired": chart([_pair(results, "densify"), _pair(results, "extend")], across=2),
    }


def _series(results: Results) -> list[Panel]:
    """The first column: real, and as some recipes give it."""
    name = results["about"]["shown"][0]
    cut = len(results["recipes"]["prior"]["fits"][0]["series"][0])
    panels = [Panel(f"{name}, real", {"real": (range(cut), results["about"]["series"][name][:cut])})]
    for recipe in (r for r in DRAWN if r in results["recipes"]):
        made = results["recipes"][recipe]["fits"][0]["series"][0]
        panels.append(Panel(f"{name}, {recipe}", {"generated": (range(len(made)), made)}))
    return panels


def _transfer(results: Results) -> Panel:
    found, steps = results["transfer"]["verdict"], results["transfer"]["steps"]
    lines = {n: ([0, steps // 3, steps], [v[k] for k in ("start", "third", "all")]) for n, v in found.items()}
    return Panel("fidelity on the points that follow (lower is better)", lines)


def _pair(results: Results, verb: str) -> Panel:
    pair = results["paired"][verb]
    return Panel(f"{verb}: model against truth", {verb: (pair["real"], pair["made"])}, dots=True, diagonal=True)


# the page


def render(results: Results) -> str:
    """Return the page's text."""
    environment = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    environment.filters |= {
        "n": number, "pc": lambda v: f"{v:.0%}", "seeds": over_seeds,
        "score": lambda entry, name: number(mean_score(entry, name)),
        "floor": lambda entries, name: number(mean_score(entries["prior"], name, "floor")),
        "naive": lambda entries, name: number(mean_score(entries["prior"], name, "naive")),
    }  # fmt: skip
    studies = results["studies"]
    entries = {name: results["recipes"][name] for name in RECIPES if name in results["recipes"]}
    points = [f for p in studies["epochs"] + studies["rates"] for f in p["fits"]]
    return environment.get_template("founding_page.md.j2").render(
        measured_by=measured_by(results),
        missing=[r for r in RECIPES if r not in entries],
        faded=min(points, key=lambda f: f["gradient_last"] / f["gradient_first"]),
        **{"search": None, "transfer": None, "alone": {}} | dict(results) | {"recipes": entries}, judged=JUDGED,
        subset=min(SUBSET, results["about"]["rows"]),
        worst=max(points, key=lambda f: (f["critic_right"], f["epochs"])),
        seeds=len(studies["epochs"][0]["fits"]), fits=_seeds(entries),
        findings=findings(results), transfer_finding=transfer_finding(results) if "transfer" in results else "",
    )  # fmt: skip


def _seeds(entries: Results) -> str:
    """With how many seeds the recipes were trained, in words."""
    counts = {len(e["fits"]) for n, e in entries.items() if n not in CLOSED}
    low, high = min(counts), max(counts)
    return f"{low} seed{'s' * (low > 1)}" if low == high else f"{low} to {high} seeds"


def write_page(results: Results, page: Path) -> None:
    """Write the page, and its figures into a folder of its name."""
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in figures(results).items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    page.write_text(render(results), encoding="utf-8")
