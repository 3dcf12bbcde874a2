"""What a user chooses about a build, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from model_build.architectures import TAUGHT, NetworkSettings
from model_build.protocol import Protocol
from model_build.train import TrainingSettings

SESSIONS = 8
"""Augmented takes per training utterance, beside the clean one and the telephone's."""


@dataclass(frozen=True)
class Recipe:
    """What a user chooses about a build."""

    protocol: Protocol
    window: float
    epochs: int
    seed: int
    teacher: bool

    @property
    def network(self) -> NetworkSettings:
        """The network's sizes."""
        return TAUGHT if self.teacher else NetworkSettings()

    @property
    def training(self) -> TrainingSettings:
        """How the network is trained."""
        return TrainingSettings(epochs=self.epochs, seed=self.seed)

    def describe(self) -> dict[str, Any]:
        """All settings of the training, for a model's metadata."""
        return {**asdict(self.training), **asdict(self.network), "sessions": SESSIONS}
