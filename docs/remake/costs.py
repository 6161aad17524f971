"""What training costs in time and memory, from the JSON files that benchmarks write to docs/results/measured/."""

from __future__ import annotations

from docs.remake.artefact import Artefact, measured, table


def pong_memory() -> dict[str, str]:
    return {"pong_memory.peak": f"{measured('pong_memory')['peak_mb']:.0f} MB"}


def soak() -> dict[str, str]:
    found = measured("soak")
    return {"soak.time": _more(found["time"], 0), "soak.memory": _more(found["memory"], 1)}


def _more(ratio: float, digits: int) -> str:
    return f"{100 * (ratio - 1):.{digits}f} %"


def busy() -> dict[str, str]:
    return {"busy.ratio": f"{measured('busy')['ratio']:.2f}"}


def compare() -> dict[str, str]:
    return {"compare.seconds": f"{measured('compare')['seconds']:.0f} s"}


def stacked_module() -> dict[str, str]:
    found = measured("stacked_module")
    seeds = ("1", "32")
    rows = [(side, *(f"{found['steps_per_second'][n][side]:,.0f}" for n in seeds)) for side in ("by hand", "module")]
    rows.append(("ratio (median of rounds)", *(f"{found['ratio'][n]:.1f}" for n in seeds)))
    return {"stacked_module.table": table(("", ">one seed", ">32 seeds"), rows)}


def recurrent() -> dict[str, str]:
    ratios = measured("recurrent")["ratio"]
    return {f"recurrent.ratio_{seeds}": f"{ratio:.1f}" for seeds, ratio in ratios.items()}


def diagnostics() -> dict[str, str]:
    return {"diagnostics.ratio": f"{measured('diagnostics')['ratio']:.2f}"}


ARTEFACTS = tuple(
    Artefact(
        values.__name__,
        (f"python -m benchmarks.{values.__name__} docs/results/measured/{values.__name__}.json",),
        values=values,
    )
    for values in (pong_memory, soak, busy, compare, stacked_module, recurrent, diagnostics)
)
