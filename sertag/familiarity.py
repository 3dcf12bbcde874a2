"""Whether a call came over a line like those that the network learnt from.

Voices and emotions bend a call's statistics too, but only in some ways, which the training speakers' own
calls show. What else is odd about a call comes from its line: room, microphone, codec, noise. What the
network hears on such a line says as much of the line as of the voice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sertag.adaptation import DoubleArray, Voice
from sertag.features import FeatureSettings, telephone_bands
from sertag.normalisation import Normalisation

# In spreads. Of half-minute calls of validation speakers seven in eight or more are nearer than the first,
# whatever rules in them.
_FAMILIAR, _FOREIGN = 1.2, 1.45
_SHORTEST = 0.1


@dataclass(frozen=True, eq=False)
class KnownLines:
    """How the training speakers' calls are outlined.

    Attributes:
        centre: their mean :func:`outline`, shape ``(outline,)``.
        directions: in which their voices and emotions differ most, orthonormal rows, shape
            ``(directions, outline)``.
        spread: mean :meth:`distance` of long calls of training speakers from what the others' calls show.
        unrest: what is said in so short a time makes more of it: the square of this, over the seconds of
            speech, adds to the square of the spread.
    """

    centre: DoubleArray
    directions: DoubleArray
    spread: float
    unrest: float

    def distance(self, outlined: DoubleArray) -> float:
        """How far an outline is from all that voices and emotions do: its root mean square residual."""
        off = outlined - self.centre
        off -= (off @ self.directions.T) @ self.directions
        return math.sqrt(np.mean(off**2))

    def familiarity(self, outlined: DoubleArray, seconds: float) -> float:
        """From 1 for a call on a line like the training speakers' to 0 for one in another world.

        Args:
            outlined: the call's outline.
            seconds: of speech that it was taken from.
        """
        expected = math.hypot(self.spread, self.unrest / math.sqrt(max(seconds, _SHORTEST)))
        distance = self.distance(outlined) / expected
        return min(max((_FOREIGN - distance) / (_FOREIGN - _FAMILIAR), 0.0), 1.0)


def outline(voice: Voice, normalisation: Normalisation, settings: FeatureSettings) -> DoubleArray:
    """What a call tells of its line at any level, shape ``(2 * bands,)`` with the bands of a telephone.

    The shape of its mean spectrum in the training speakers' deviations, and the logarithms of its own
    deviations in theirs.
    """
    bands = telephone_bands(settings)
    shape = (voice.mean[bands] - normalisation.mean[bands]) / normalisation.deviation[bands]
    dynamics = np.log(voice.deviation[bands] / normalisation.deviation[bands])
    return np.concatenate([shape - shape.mean(), dynamics])
