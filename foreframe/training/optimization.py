"""The players' optimisers: each follows the gradient of its own loss, by its own parameters."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from foreframe.config.training import SGD, Adam, OptimizerSettings, RMSprop
from foreframe.roots import root


def optimizer(
    settings: OptimizerSettings, weights: Sequence[nn.Parameter]
) -> torch.optim.Optimizer:
    """Return an optimiser of these weights, of which there must be one at least.

    Its step size and decay are those of every step; see `Mover.follow`.
    """
    rate = settings.learning_rate
    # One kernel for all parameters: small networks spend their time on calls otherwise.
    match settings:
        case Adam():
            kind = torch.optim.AdamW if settings.kind == "adamw" else torch.optim.Adam
            betas, epsilon = settings.betas, settings.epsilon
            return kind(weights, rate, betas, epsilon, weight_decay=0.0, fused=True)
        case RMSprop():
            return _RMSprop(weights, settings)
        case SGD():
            return torch.optim.SGD(weights, rate, momentum=settings.momentum, fused=True)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers of a network are trained by gradient; codebooks are not."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


class Mover:
    """Moves one player: its optimiser, and the gradient that it is to follow."""

    def __init__(self, settings: OptimizerSettings) -> None:
        self.settings = settings
        self._optimizer: torch.optim.Optimizer | None = None

    def take(self, weights: Sequence[nn.Parameter], *, restart: bool) -> None:
        """Move these weights from now on; keep the moments of those that were moved before."""
        old = self._optimizer
        self._optimizer = optimizer(self.settings, weights) if weights else None
        if old is not None and self._optimizer is not None and not restart:
            for weight in weights:
                if weight in old.state:
                    self._optimizer.state[weight] = old.state[weight]

    @property
    def weights(self) -> list[Tensor]:
        """What is moved, each of its own shape."""
        groups = [] if self._optimizer is None else self._optimizer.param_groups
        return [weight for group in groups for weight in group["params"]]

    def gradient(self, loss: Tensor, *, again: bool) -> list[Tensor | None]:
        """Return the gradient of a scalar by the weights, None for those that it does not reach.

        `again`: the graph of `loss` will be needed once more, by another player.
        """
        weights = self.weights
        return [*torch.autograd.grad(loss, weights, retain_graph=again, allow_unused=True)]

    def adopt(self, gradients: Sequence[Tensor | None]) -> Tensor:
        """Take a gradient as the one to be followed; return its norm over all weights, a scalar."""
        for weight, found in zip(self.weights, gradients, strict=True):
            weight.grad = None if found is None else _laid_out(found, weight)
        known = [weight.grad for weight in self.weights if weight.grad is not None]
        return torch.nn.utils.get_total_norm(known)

    def follow(self, norm: Tensor, rate: float, decay: float) -> None:
        """Take one step of size `rate` down the gradient, whose norm over all weights is `norm`.

        The clip is on that norm, not on single values. The gradient is used up.
        """
        assert self._optimizer is not None
        if self.settings.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.weights, self.settings.clip, norm)
        for group in self._optimizer.param_groups:
            group["lr"], group["weight_decay"] = rate, decay
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Return the moments, shaped as their weights, by their place and name, for `load`."""
        if self._optimizer is None:
            return {}
        return {
            f"{place}/{name}": value
            for place, moments in self._optimizer.state_dict()["state"].items()
            for name, value in moments.items()
            if isinstance(value, Tensor)  # some are None where they are not used
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set all moments; see `state`."""
        if self._optimizer is None:
            return
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            place, _, key = name.partition("/")
            weight = self.weights[int(place)]
            # A count of steps has no weight's shape.
            moment = _laid_out(value, weight) if value.shape == weight.shape else value
            state.setdefault(int(place), {})[key] = moment.clone()
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})


class _RMSprop(torch.optim.Optimizer):
    """As in torch, whose square root is another on a CPU of another maker (`roots`)."""

    def __init__(self, weights: Sequence[nn.Parameter], settings: RMSprop) -> None:
        super().__init__(weights, {"lr": settings.learning_rate, "weight_decay": 0.0})
        self._settings = settings

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all weights that have a gradient; there is no `closure`."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group["lr"], group["weight_decay"])

    def _move(self, weight: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state, smoothing = self.state[weight], self._settings.smoothing
        if decay:
            gradient = gradient.add(weight, alpha=decay)
        square = state.setdefault("square_avg", torch.zeros_like(weight))
        square.mul_(smoothing).addcmul_(gradient, gradient, value=1 - smoothing)
        scale = root(square).add_(self._settings.epsilon)
        if self._settings.momentum:
            velocity = state.setdefault("momentum_buffer", torch.zeros_like(weight))
            velocity.mul_(self._settings.momentum).addcdiv_(gradient, scale)
            weight.add_(velocity, alpha=-rate)
        else:
            weight.addcdiv_(gradient, scale, value=-rate)


def _laid_out(value: Tensor, weight: Tensor) -> Tensor:
    """Return `value` lying in memory as its weight does: one kernel walks over both."""
    if value.stride() == weight.stride():
        return value.detach()
    return torch.empty_like(weight).copy_(value)
