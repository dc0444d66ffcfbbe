"""Rays a second of scenes of radiance fields, against a plain volume renderer, object by object.

    python -m benchmarks.rays [OUT.json] [--scenes 4] [--objects 6] [--side 32] [--points 32]
                              [--width 64] [--layers 8] [--rounds 5]

Both render the same scenes by the same networks, forwards and backwards on one thread. The plain
one evaluates each object's field at every point of every ray, one object after the other, and masks
what lies outside the box; ours takes all objects of all scenes as one batch, and only the points
inside boxes. They take turns, so that a machine that slows down slows both; the quickest round
counts. Printed: rays a second, their ratio, and how far the two pictures are apart. OUT.json gets
all of it.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import limits
from foreframe.artefacts import facts
from foreframe.networks import initialization
from foreframe.networks.poses import NUMBERS, Poses, Reach
from foreframe.networks.radiance import COLOURS, Field, FieldSettings
from foreframe.networks.scene_camera import Camera, Rays
from foreframe.networks.scene_rendering import ENDLESS, Codes, Fields, March, Scene, render
from foreframe.randomness import generator

CODE = 64  # numbers of a shape, and of an appearance
CAMERA = Camera(elevation=33.0, azimuth=0.0, distance=2.732, aim=0.0, view=49.13, near=0.5, far=6.0)
REACH = Reach(places=(0.8, 0.8, 0.3), lift=0.2, smallest=0.05, largest=0.3, turns=False)


@dataclass(frozen=True)
class Size:
    """What is rendered."""

    scenes: int
    objects: int
    side: int
    points: int
    width: int
    layers: int

    def fields(self) -> Fields:
        """Return the networks."""

        def field(name: str, width: int, layers: int) -> Field:
            settings = FieldSettings(
                layers=layers, width=width, skip=None, point_waves=6, way_waves=0, density=5.0,
                divided=1.0, fades=False,
            )  # fmt: skip
            built = Field(settings, CODE, CODE, COLOURS)
            initialization.initialize(built, generator(0, name))
            return built

        return Fields(field("objects", self.width, self.layers), field("background", 16, 4))

    def scene(self) -> Scene:
        """Return the scenes."""
        numbers, shape = generator(0, "scene"), (self.scenes, self.objects)

        def codes(*size: int) -> Codes:
            return Codes(*(numbers.normal((*size, CODE)).requires_grad_() for _ in range(2)))

        seven = numbers.normal((*shape, NUMBERS)).requires_grad_()
        present = torch.ones(shape, dtype=torch.bool)
        return Scene(Poses.of(seven, REACH), codes(*shape), present, codes(self.scenes))


def ours(fields: Fields, scene: Scene, rays: Rays, march: March) -> Tensor:
    """Return colours (B,R,3) as the project renders them."""
    return render(fields, scene, rays, march, COLOURS, None).features


def plain(fields: Fields, scene: Scene, rays: Rays, march: March) -> Tensor:
    """Return colours (B,R,3), every object's field at every point, one after the other."""
    assert scene.background is not None and fields.background is not None
    count, rows = march.points, len(scene.present)
    wide = (rays.far - rays.near) / count
    depth_P = rays.near + wide * (torch.arange(count) + 0.5)
    points_RP3 = rays.begin + rays.ways[:, None] * depth_P[:, None]
    every_BQ3 = points_RP3.flatten(0, 1).expand(rows, -1, -1)
    density, sent = fields.background(every_BQ3, None, *scene.background, None, COLOURS)
    coloured = density[..., None] * sent
    for number in range(scene.present.shape[1]):
        poses = Poses(*(each[:, number : number + 1] for each in scene.poses))
        codes = [each[:, number] for each in scene.codes]
        own_BQ3 = poses.inward(every_BQ3[:, None])[:, 0]
        own_density, own_sent = fields.objects(own_BQ3, None, *codes, None, COLOURS)
        own_density = own_density * (own_BQ3.abs() <= 1).all(dim=2)
        density = density + own_density
        coloured = coloured + own_density[..., None] * own_sent
    colour = (coloured / density.clamp_min(1e-8)[..., None]).unflatten(1, (-1, count))
    step_P = torch.full((count,), wide)
    step_P[-1] = ENDLESS
    alpha_BRP = 1 - (-density.unflatten(1, (-1, count)) * step_P).exp()
    passed = torch.cat([torch.ones_like(alpha_BRP[..., :1]), 1 - alpha_BRP[..., :-1]], dim=2)
    return ((alpha_BRP * passed.cumprod(dim=2))[..., None] * colour).sum(dim=2)


WAYS: Mapping[str, Callable[[Fields, Scene, Rays, March], Tensor]] = {"ours": ours, "plain": plain}


def measure(size: Size, rounds: int) -> dict[str, Any]:
    """Return rays a second of both ways, their ratio, and how far their pictures are apart."""
    torch.set_num_threads(1)
    fields, rays = size.fields(), CAMERA.rays(size.side, size.side)
    march, best = March(points=size.points, noise=0.0), dict.fromkeys(WAYS, float("inf"))
    pictures: dict[str, Tensor] = {}
    for _ in range(rounds):
        for name, way in WAYS.items():
            scene = size.scene()
            begin = time.process_time()
            colours = way(fields, scene, rays, march)
            colours.square().sum().backward()
            best[name] = min(best[name], time.process_time() - begin)
            pictures[name] = colours.detach()
    count = size.scenes * size.side**2
    found: dict[str, Any] = {name: count / seconds for name, seconds in best.items()}
    apart = (pictures["ours"] - pictures["plain"]).abs().max().item()
    return {**found, "ratio": found["ours"] / found["plain"], "apart": apart}


def main() -> None:
    """Print a line for each way, and what sets them apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT.json")
    sizes = {"scenes": 4, "objects": 6, "side": 32, "points": 32, "width": 64, "layers": 8}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    chosen = {name: getattr(options, name) for name in sizes}
    found = measure(Size(**chosen), options.rounds)
    for name in WAYS:
        print(f"{name:<8}{found[name]:>14,.0f} rays a second")
    print(f"ours / plain {found['ratio']:.2f}; colours at most {found['apart']:.1e} apart")
    if options.out:
        machine = limits.machine(torch.device("cpu")) | {"threads": 1}
        facts.write(options.out, "benchmark_rays", {"machine": machine, "sizes": chosen, **found})


if __name__ == "__main__":
    main()
