"""Encoder, prior, posterior and decoder of the hierarchical VRNN, frame by frame and all at once.

`step` goes on by one frame of its own making, `score` takes the true frames of a clip, all steps in
one call of each layer but the recurrent cells. Both are the same layers in the same order.

Shapes: B clips, D context frames, S steps, T = D + S frames, C colours, Z channels of a latent,
H rows = W columns. A resolution is named by its rows.
"""

from typing import NamedTuple

from torch import Tensor, nn

from foreframe.networks.conv_lstm import Pair
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.latent_hierarchy import Choose, Hierarchy, Layout
from foreframe.networks.recurrent_decoder import RecurrentDecoder
from foreframe.networks.residual_frames import Encoder, cut, of_clips

Features = dict[int, Tensor]


class State(NamedTuple):
    """What is kept between frames.

    Attributes:
        features: of the last frame, (B,1,C,H,W), at the latents' resolutions.
        top: its features for the decoder, (B,1,C,1,1).
        prior: states of the prior's levels.
        decoder: states of the decoder's resolutions, None where it has no cell.
    """

    features: Features
    top: Tensor
    prior: dict[int, Pair]
    decoder: dict[int, Pair | None]


class Scored(NamedTuple):
    """What becomes of true frames; by resolution, each value (B,S,Z,H,W).

    Attributes:
        posterior: distributions of the latents.
        prior: the same, given the same latents above.
        latents: those that were chosen.
        raw: (B,S,C,H,W), what the decoder says of each frame.
    """

    posterior: dict[int, Gaussian]
    prior: dict[int, Gaussian]
    latents: Features
    raw: Tensor


class VariationalRecurrentNetwork(nn.Module):
    """224,443,715 weights as published for 64 rows.

    `latent_encoder` is that of prior and posterior; None: they read the features of `encoder`.
    """

    def __init__(
        self, layout: Layout, colours: int, encoder: Encoder, latent_encoder: Encoder | None
    ) -> None:
        super().__init__()
        self.context = layout.context
        self.encoder = encoder
        self.latent_encoder = latent_encoder
        self.prior = Hierarchy(layout)
        self.posterior = Hierarchy(layout)
        self.decoder = RecurrentDecoder(layout, colours)
        self.latent_shapes = {size: (count, size, size) for size, count in layout.latents.items()}

    def begin(self, x_BCDHW: Tensor) -> State:
        """Return the state after the context frames."""
        features, of_latents = self._features(x_BCDHW)
        last = slice(-1, None)
        return State(
            cut(of_latents, last),
            features[1][:, last],
            self.prior.start(of_latents),
            self.decoder.start(features),
        )

    def step(self, state: State, choose: Choose) -> tuple[Tensor, State]:
        """Return what the next frame's mean is the sigmoid of (B,C,H,W), and the state after it.

        `choose` says which latent (B,1,Z,H,W) is taken, of its resolution and the prior.
        """
        hidden, prior = self.prior.read(state.features, state.prior)
        _, latents = self.prior.descend(hidden, choose)
        raw_B1CHW, decoder = self.decoder(state.top, latents, state.decoder)
        x_BC1HW = raw_B1CHW.sigmoid().transpose(1, 2)
        features, of_latents = self._features(x_BC1HW)
        return raw_B1CHW[:, 0], State(of_latents, features[1], prior, decoder)

    def score(self, x_BCTHW: Tensor, choose: Choose) -> Scored:
        """Return what becomes of the frames after the first D.

        `choose` says which latents (B,S,Z,H,W) are taken, of their resolution and the posterior;
        prior and decoder are given the same ones.
        """
        features, of_latents = self._features(x_BCTHW)
        context, now = slice(self.context), slice(self.context, None)
        before = slice(self.context - 1, -1)
        begun = cut(of_latents, context)
        hidden, _ = self.posterior.read(cut(of_latents, now), self.posterior.start(begun))
        posterior, latents = self.posterior.descend(hidden, choose)
        hidden, _ = self.prior.read(cut(of_latents, before), self.prior.start(begun))
        prior, _ = self.prior.descend(hidden, lambda size, _: latents[size])
        states = self.decoder.start(cut(features, context))
        raw_BSCHW, _ = self.decoder(features[1][:, before], latents, states)
        return Scored(posterior, prior, latents, raw_BSCHW)

    def _features(self, x_BCTHW: Tensor) -> tuple[Features, Features]:
        """Return features (B,T,C,H,W) by resolution for the decoder, and for the latents."""
        features = of_clips(self.encoder, x_BCTHW)
        of_latents = features
        if self.latent_encoder is not None:
            of_latents = of_clips(self.latent_encoder, x_BCTHW)
        return features, {size: of_latents[size] for size in self.latent_shapes}
