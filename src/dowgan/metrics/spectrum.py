"""Log spectral distance: is there as much power at every frequency as in the real data?

Power spectra are averaged over the windows (Welch 1967: mean removed, Hann taper), both in units of the real
channel's variance, and

    score = sqrt( mean over frequencies of (10 log10 P_real(f) / P_fake(f))^2 )  in dB        0: same (good)

(Gray and Markel 1976, log spectral distance). A millionth of the mean power of the stronger side is added to both,
so that a frequency that no data has does not decide, and a channel that stands still on one side only is about 60 dB
off. It sees noise, over-smoothing, a wrong season and seams, which fill the high frequencies.
"""

import numpy as np
from jaxtyping import Float

from dowgan.metrics.marginal import mean_score, moments
from dowgan.metrics.metric import METRICS, Metric, Score

Array = np.ndarray
FLOOR = 1e-6  # of the mean power of the stronger side


def power(windows: Float[Array, "N T C"]) -> Float[Array, "F C"]:
    """Power of each channel at the frequencies 1/T .. 1/2 per step, F = T // 2; of white noise its variance.

    Windows are taken whole: a channel of a window with NaN is left out; NaN where none is whole.
    """
    T = windows.shape[1]
    taper = np.hanning(T + 1)[:T, None]
    centred = windows - windows[:, :1]  # first, so that a channel that stands still is 0 and not a rounding error
    centred = centred - centred.mean(1, keepdims=True)
    lines = np.abs(np.fft.rfft(centred * taper, axis=1)[:, 1:]) ** 2 / (taper**2).sum()  # [N F C]
    whole = ~np.isnan(lines)
    count = whole.sum(0)
    return np.where(count > 0, np.where(whole, lines, 0.0).sum(0) / np.maximum(count, 1), np.nan)


def spectrum(real: Float[Array, "N T C"], fake: Float[Array, "M T C"]) -> Float[Array, "C"]:
    """Log spectral distance of each channel in decibels; lower is better; 0 for one constant in both sides."""
    _, scale = moments(real.reshape(-1, real.shape[2]))
    first, second = power(real / scale), power(fake / scale)
    floor = FLOOR * np.maximum(first.mean(0), second.mean(0)) + 1e-300
    ratio = 10 * np.log10((first + floor) / (second + floor))
    return np.sqrt((ratio**2).mean(0))


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return mean_score(spectrum(real, fake))


METRICS.add("spectrum")(
    Metric(
        "spectrum",
        "power at each frequency (log spectral distance, dB)",
        better="lower",
        needs="windows",
        cost="fast",
        measure=_measure,
    )
)
