"""Normalising flows: densities of pictures from invertible layers (Dinh et al. 2017, Glow 2018).

The multi-scale model is `glow.Glow`; its normalisations begin from data under `starting`.
"""

from foreframe.networks.flows.actnorm import starting
from foreframe.networks.flows.glow import Glow
from foreframe.networks.flows.level import Memory

__all__ = ["Glow", "Memory", "starting"]
