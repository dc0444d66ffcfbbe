"""Pictures of scenes of radiance fields: objects in boxes of their own, and a background.

At every point of a ray the densities of all fields add up, and what they send is their mean by
density. With alpha_j = 1 - exp(-sigma_j delta_j), what a ray shows is

    sum_j w_j a_j,  w_j = alpha_j prod_(i<j) (1 - alpha_i)

(Mildenhall et al. 2020; Niemeyer and Geiger 2021; Castrejon 2022, 10.3.3). An object is nothing
outside its box, so only the rays that pass a box, and their points inside it, are computed; all
objects of all scenes are one batch. Every sum has an order of its own: on a GPU a picture and its
gradient are the same bytes each time.

Shapes: B scenes, K objects, N = B K, R rays of P points, M packed rays of S points, C features.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from pydantic import Field as Value
from torch import Tensor

from foreframe.config.base import Strict
from foreframe.networks.noise import Noise
from foreframe.networks.poses import Poses
from foreframe.networks.radiance import Field
from foreframe.networks.ray_runs import Packing, Runs, runs
from foreframe.networks.scene_camera import Rays

SMALLEST = 1e-8  # of a density that is divided by
ENDLESS = 1e10  # how far the last point of a ray reaches


class March(Strict):
    """How rays are followed. In training points lie anywhere in their stretch, else in its middle.

    GIRAFFE has 64 points, and noise of deviation 1 on densities in training.
    """

    points: Annotated[int, Value(ge=2)]
    noise: Annotated[float, Value(ge=0)]


class Codes(NamedTuple):
    """What tells fields apart: `shape` (...,S) and `appearance` (...,A)."""

    shape: Tensor
    appearance: Tensor


@dataclass(frozen=True)
class Scene:
    """What is in B scenes.

    Attributes:
        poses: of K objects.
        codes: of the objects, (B,K,...).
        present: whether an object is there, bool (B,K).
        background: the codes of the background, (B,...); None: there is nothing behind objects.
    """

    poses: Poses
    codes: Codes
    present: Tensor
    background: Codes | None


class Shown(NamedTuple):
    """What rays show.

    `parts` of it that each object adds, and the background as the last one if there is one,
    (B,K+1,R,C), and the `shares` (B,K+1,R) of a ray that are theirs, at most 1 together.
    """

    parts: Tensor
    shares: Tensor

    @property
    def features(self) -> Tensor:
        """What rays show of all together, (B,R,C)."""
        return self.parts.sum(dim=1)


class Fields(NamedTuple):
    """The networks: of all objects, and of the background, if there is one."""

    objects: Field
    background: Field | None


def render(
    fields: Fields,
    scene: Scene,
    rays: Rays,
    march: March,
    features: int,
    noise: Noise | None,
    *,
    skip: bool = True,
) -> Shown:
    """Return what rays show of scenes; `noise` is that of a training step, None afterwards.

    Without `skip` every point of every ray is computed for every object.
    """
    depth_RP, step_RP = _stretches(rays, march, noise)
    ways_R3 = rays.ways
    points_RP3 = rays.begin + ways_R3[:, None] * depth_RP[..., None]
    objects = _objects(fields.objects, scene, points_RP3, ways_R3, march, features, noise, skip)
    density_BRP = objects.density.sum(dim=1)
    behind = None
    if scene.background is not None:
        assert fields.background is not None
        behind = _behind(fields.background, scene, points_RP3, ways_R3, march, features, noise)
        density_BRP = density_BRP + behind[0]
    weight_BRP = weights(density_BRP, step_RP)
    # Of a field's density: its share of the ray's light.
    light_BRP = weight_BRP / density_BRP.clamp_min(SMALLEST)
    count = objects.density.shape[1]
    of_objects = light_BRP[:, None].expand(-1, count, -1, -1).flatten(0, 1).flatten(1)
    shown = objects.lit(of_objects)
    if behind is None:
        return shown
    light_BRP = light_BRP * behind[0]
    last_B1RC = (light_BRP[..., None] * behind[1]).sum(dim=2)[:, None]
    last_B1R = light_BRP.sum(dim=2)[:, None]
    both = zip(shown, (last_B1RC, last_B1R), strict=True)
    return Shown(*(torch.cat(each, dim=1) for each in both))


def weights(density_BRP: Tensor, step_RP: Tensor) -> Tensor:
    """Return w (B,R,P), which is at most 1 over a ray."""
    passed_BRP = density_BRP * step_RP
    # A sum of what was passed before, as a product: sums along an axis have no order on a GPU.
    points = density_BRP.shape[2]
    before_PP = torch.ones(points, points, device=density_BRP.device).triu(1)
    before_BRP = passed_BRP[..., :-1] @ before_PP[:-1].to(passed_BRP)
    return (1 - (-passed_BRP).exp()) * (-before_BRP).exp()


def _stretches(rays: Rays, march: March, noise: Noise | None) -> tuple[Tensor, Tensor]:
    """Return how far along rays points are, and how far each reaches, (R,P)."""
    count, ways = march.points, rays.ways
    wide = (rays.far - rays.near) / count
    place_RP = torch.arange(count, device=ways.device, dtype=ways.dtype).expand(len(ways), -1)
    if noise is None:
        depth_RP = rays.near + wide * (place_RP + 0.5)
    else:
        # Of all scenes the same: a ray is passed at other points in each step.
        drawn_RP = noise.normal("depth", 0, (len(ways), count))[0]
        even_RP = 0.5 * (1 + torch.erf(drawn_RP / 2**0.5))
        depth_RP = rays.near + wide * (place_RP + even_RP)
    last_R1 = torch.full_like(depth_RP[:, :1], ENDLESS)
    return depth_RP, torch.cat([depth_RP.diff(dim=1), last_R1], dim=1)


@dataclass(frozen=True)
class _Objects:
    """What the objects' fields say at points inside boxes.

    Attributes:
        density: at all points, (B,K,R,P).
        packed: the same at those inside, (N,Q).
        sent: what they send, (N,Q,C).
        runs: which those are.
    """

    density: Tensor
    packed: Tensor
    sent: Tensor
    runs: Runs

    def lit(self, light_NL: Tensor) -> Shown:
        """Return what each object shows (B,K,R,C), (B,K,R), in the light (N,RP) of points."""
        rows, count = self.density.shape[:2]
        share_NMS = (self.runs.points.pack(light_NL) * self.packed).unflatten(1, self.runs.size)
        sent_NMSC = self.sent.unflatten(1, self.runs.size)
        shown_NMC = (share_NMS[..., None] * sent_NMSC).sum(dim=2)
        rays: Packing = self.runs.rays
        shown_BKRC = rays.spread(shown_NMC).unflatten(0, (rows, count))
        share_BKR = rays.spread(share_NMS.sum(dim=2)).unflatten(0, (rows, count))
        return Shown(shown_BKRC, share_BKR)


def _objects(
    field: Field,
    scene: Scene,
    points_RP3: Tensor,
    ways_R3: Tensor,
    march: March,
    features: int,
    noise: Noise | None,
    skip: bool,
) -> _Objects:
    poses, (rows, count) = scene.poses, scene.present.shape
    rays, points = points_RP3.shape[:2]
    every_BKQ3 = points_RP3.flatten(0, 1).expand(rows, count, -1, -1)
    with torch.no_grad():
        inside_BKQ = (poses.inward(every_BKQ3).abs() <= 1).all(dim=3)
        inside_BKQ = inside_BKQ & scene.present[..., None]
    found = runs(inside_BKQ.flatten(0, 1).unflatten(1, (rays, points)), skip=skip)
    # Points of the world have no gradient, so they are fetched and then seen through the pose.
    taken_BKQ = found.points.taken.unflatten(0, (rows, count))
    own_BKQ3 = poses.inward(points_RP3.flatten(0, 1)[taken_BKQ])
    ways_NQ3 = None
    if field.settings.way_waves:
        ways_NQ3 = poses.along(ways_R3[taken_BKQ // points]).flatten(0, 1)
    density_NQ, sent_NQC = field(
        own_BKQ3.flatten(0, 1),
        ways_NQ3,
        scene.codes.shape.flatten(0, 1),
        scene.codes.appearance.flatten(0, 1),
        _drawn(noise, march, "object", taken_BKQ),
        features,
    )
    density_NQ = density_NQ * found.points.kept
    spread_BKRP = found.points.spread(density_NQ).unflatten(1, (rays, points))
    return _Objects(spread_BKRP.unflatten(0, (rows, count)), density_NQ, sent_NQC, found)


def _behind(
    field: Field,
    scene: Scene,
    points_RP3: Tensor,
    ways_R3: Tensor,
    march: March,
    features: int,
    noise: Noise | None,
) -> tuple[Tensor, Tensor]:
    """Return the background's density (B,R,P) and what it sends (B,R,P,C)."""
    assert scene.background is not None
    codes, (rays, points) = scene.background, points_RP3.shape[:2]
    rows = len(codes.shape)
    points_BQ3 = points_RP3.flatten(0, 1).expand(rows, -1, -1)
    ways_BQ3 = None
    if field.settings.way_waves:
        ways_BQ3 = ways_R3[:, None].expand(-1, points, -1).flatten(0, 1).expand(rows, -1, -1)
    drawn = _drawn(noise, march, "background", points_BQ3[..., 0])
    density_BQ, sent_BQC = field(points_BQ3, ways_BQ3, *codes, drawn, features)
    size = (rays, points)
    return density_BQ.unflatten(1, size), sent_BQC.unflatten(1, size)


def _drawn(noise: Noise | None, march: March, purpose: str, like_BQ: Tensor) -> Tensor | None:
    """Return what is added to densities, of the rows of fields (N,Q)."""
    if noise is None or not march.noise:
        return None
    drawn = march.noise * noise.normal(purpose, 0, tuple(like_BQ.shape[1:]))
    return drawn.flatten(0, 1) if drawn.ndim == 3 else drawn
