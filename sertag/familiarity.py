"""Whether a call came over a line like those that the network learnt from.

Voices and emotions bend a call's statistics too, but mostly in some ways, which the training speakers' own
calls show. What else is odd about a call comes from its line: room, microphone, codec, noise. What the
network hears on such a line says as much of the line as of the voice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertag.call_statistics import CallStatistics
from sertag.features import FeatureSettings, telephone_bands
from sertag.types import DoubleArray

# In spreads. Of half-minute calls of validation speakers nine in ten or so are nearer than the first,
# whatever rules in them.
_FAMILIAR, _FOREIGN = 1.2, 1.45
_SHORTEST = 0.1
_FEWEST_FRAMES = 10


@dataclass(frozen=True, eq=False)
class KnownLines:
    """How the training speakers' calls are outlined, on each of the lines that they came over.

    Attributes:
        centres: mean :func:`outline` of each line's calls, shape ``(lines, outline)``.
        spreads: mean distance of long calls from the centre of their line, of speakers who had no part in
            it, shape ``(lines,)``.
        unrests: what is said in so short a time makes more of it: the square of this, over the seconds of
            speech, adds to the square of the spread; shape ``(lines,)``.
        directions: in which the calls on a line differ most, orthonormal rows, shape
            ``(directions, outline)``.
        excess: how much of its square each of these makes more than other directions do, from 0 to 1,
            shape ``(directions,)``.
    """

    centres: DoubleArray
    spreads: DoubleArray
    unrests: DoubleArray
    directions: DoubleArray
    excess: DoubleArray

    def distances(self, outlined: DoubleArray) -> DoubleArray:
        """How far an outline is from each line, beyond what voices and emotions do, shape ``(lines,)``.

        The root mean square residual, after Mahalanobis; what is not known (NaN) is taken to fit.
        """
        off = np.nan_to_num(outlined - self.centres)
        squares = np.sum(off**2, axis=1) - (off @ self.directions.T) ** 2 @ self.excess
        return np.asarray(np.sqrt(np.maximum(squares, 0.0) / len(outlined)))

    def familiarity(self, outlined: DoubleArray, seconds: float) -> float:
        """From 1 for a call on a line like one of the training speakers' to 0 for one in another world.

        Args:
            outlined: the call's outline.
            seconds: of speech that it was taken from.
        """
        expected = np.hypot(self.spreads, self.unrests / np.sqrt(max(seconds, _SHORTEST)))
        nearest = float(np.min(self.distances(outlined) / expected))
        return min(max((_FOREIGN - nearest) / (_FOREIGN - _FAMILIAR), 0.0), 1.0)


def outline(statistics: CallStatistics, settings: FeatureSettings) -> DoubleArray:
    """What a call tells of its line at any level, shape ``(3 * bands,)`` with the bands of a telephone.

    How much each band moves while somebody speaks, how fast, both in nepers, and how far it falls between
    words, in tens of dB: room and noise fill the gaps. The mean spectrum would say more of the voice. NaN
    where there is too little of it.
    """
    bands = telephone_bands(settings)
    count = max(statistics.counts[0], 1.0)
    variances = statistics.squares / count - (statistics.totals / count) ** 2
    out = np.full((3, bands.stop - bands.start), np.nan)
    out[0] = np.log(np.maximum(variances[bands], 1e-4)) / 2
    if statistics.pairs >= _FEWEST_FRAMES:
        out[1] = np.log(np.maximum(statistics.steps[bands] / statistics.pairs, 1e-2))
    if statistics.rests >= _FEWEST_FRAMES:
        out[2] = (statistics.quiet[bands] / statistics.rests - statistics.level) / 10
    return out.ravel()
