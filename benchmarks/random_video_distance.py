"""What the random video distance can and cannot see: a table over constructed cases.

Without arguments the scenes are drawn here; with a file of frames they are clips of that file.
Each row changes copies of the clips in one way and is compared with the clips themselves; the row
`other clips` compares with other clips of the same kind, which is what chance alone gives.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from foreframe import randomness
from foreframe.data import frames
from foreframe.data.clips import windows
from foreframe.metrics.frechet import REAL, FrechetDistance
from foreframe.metrics.random_video_distance import UNIT, RandomVideoFeatures
from foreframe.randomness import Numbers

BATCH = 16
PAIRS = 5  # of sets that a distance between equals is the mean over


def scenes(count: int, seed: int, *, length: int = 16, side: int = 64) -> Tensor:
    """Return clips of a soft-edged block that crosses a wavy background, uint8 (B, T, H, W, 3)."""
    return torch.stack([_scene(randomness.generator(seed, n), length, side) for n in range(count)])


def _scene(numbers: Numbers, length: int, side: int) -> Tensor:
    number = numbers.uniform((12,))
    T = torch.arange(length)[:, None, None]
    Y = torch.arange(side)[None, :, None]
    X = torch.arange(side)[None, None, :]
    phases = torch.arange(3)
    wave_HWC = torch.sin((X / (6 + 6 * number[0]) + Y / (9 + 6 * number[1]))[0, ..., None] + phases)
    background_HWC = 0.3 + 0.3 * number[2:5] + 0.2 * wave_HWC
    column = side * number[5] + (1 + 2 * number[6]) * T
    across = ((X - column + side / 2) % side - side / 2) / (5 + 3 * number[7])
    down = (Y - side * (0.3 + 0.4 * number[8])) / (5 + 3 * number[7])
    block_THW1 = torch.exp(-(across**4 + down**4))[..., None]
    frames_THWC = background_HWC * (1 - block_THW1) + number[9:12] * block_THW1
    return (frames_THWC.clamp(0, 1) * 255).round().to(torch.uint8)


def noisy(clips_BTHWC: Tensor, deviation: float) -> Tensor:
    """Add normal noise of this many grey levels, (B, T, H, W, 3)."""
    noise = randomness.generator(0, "noise").normal(clips_BTHWC.shape)
    return _to_uint8(clips_BTHWC + deviation * noise)


def blurred(clips_BTHWC: Tensor, window: int) -> Tensor:
    """Average over a square window of so many pixels, (B, T, H, W, 3)."""
    images = clips_BTHWC.flatten(end_dim=1).permute(0, 3, 1, 2).float()
    padded = functional.pad(images, (window // 2,) * 4, mode="replicate")
    mean = functional.avg_pool2d(padded, window, 1).permute(0, 2, 3, 1)
    return _to_uint8(mean.reshape(clips_BTHWC.shape))


def shuffled(clips_BTHWC: Tensor) -> Tensor:
    """Put the frames of each clip in a random order, (B, T, H, W, 3)."""
    length = clips_BTHWC.shape[1]
    orders = [randomness.permutation(length, 0, "order", n) for n in range(len(clips_BTHWC))]
    return torch.stack([clip[order] for clip, order in zip(clips_BTHWC, orders, strict=True)])


def slowed(clips_BTHWC: Tensor) -> Tensor:
    """Show each frame of the first half twice, (B, T, H, W, 3)."""
    length = clips_BTHWC.shape[1]
    return clips_BTHWC[:, torch.arange(length) // 2]


def frozen(clips_BTHWC: Tensor) -> Tensor:
    """Repeat the first frame, (B, T, H, W, 3)."""
    return clips_BTHWC[:, :1].expand_as(clips_BTHWC)


def exchanged(clips_BTHWC: Tensor) -> Tensor:
    """Give each clip the right half of the next one, (B, T, H, W, 3): no world looks like that."""
    left = torch.arange(clips_BTHWC.shape[3]) < clips_BTHWC.shape[3] // 2
    return torch.where(left[:, None], clips_BTHWC, clips_BTHWC.roll(-1, dims=0))


def tinted(clips_BTHWC: Tensor, red: float) -> Tensor:
    """Add so many grey levels to red, (B, T, H, W, 3)."""
    return _to_uint8(clips_BTHWC + torch.tensor([red, 0.0, 0.0]))


def _to_uint8(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


CASES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "the same clips": lambda x: x.clone(),
    "noise, 2 grey levels": lambda x: noisy(x, 2),
    "noise, 5": lambda x: noisy(x, 5),
    "noise, 10": lambda x: noisy(x, 10),
    "noise, 20": lambda x: noisy(x, 20),
    "blur over 3 x 3 pixels": lambda x: blurred(x, 3),
    "blur over 5 x 5": lambda x: blurred(x, 5),
    "red brighter by 10": lambda x: tinted(x, 10),
    "red brighter by 20": lambda x: tinted(x, 20),
    "first frame repeated": frozen,
    "half the speed": slowed,
    "frames in random order": shuffled,
    "time reversed": lambda x: x.flip(1),
    "left and right exchanged": lambda x: x.flip(3),
    "half of each clip from another": exchanged,
    "half of the clips twice": lambda x: x[: (len(x) + 1) // 2].repeat(2, 1, 1, 1, 1)[: len(x)],
}


def table(clips_BTHWC: Tensor, other_BTHWC: Tensor) -> dict[str, float]:
    """Return the distance of each case from the clips, and that of other clips, in dB^2."""
    metric = FrechetDistance(RandomVideoFeatures(torch.device("cpu")), keep=False)
    _feed(metric, REAL, clips_BTHWC)
    _feed(metric, "other clips", other_BTHWC)
    for name, change in CASES.items():
        _feed(metric, name, change(clips_BTHWC))
    return {name: metric.result(name).value for name in ["other clips", *CASES]}


def sizes(draw: Callable[[int, int], Tensor], counts: list[int]) -> dict[int, float]:
    """Return the mean distance between two sets of one kind and size, for each size."""
    return {count: sum(_pair(draw, count, n) for n in range(PAIRS)) / PAIRS for count in counts}


def _pair(draw: Callable[[int, int], Tensor], count: int, pair: int) -> float:
    metric = FrechetDistance(RandomVideoFeatures(torch.device("cpu")), keep=False)
    both = draw(2 * count, pair)
    _feed(metric, REAL, both[:count])
    _feed(metric, "other", both[count:])
    return metric.result("other").value


def _feed(metric: FrechetDistance, name: str, clips_BTHWC: Tensor) -> None:
    for batch in clips_BTHWC.split(BATCH):
        metric.update(name, batch)


def of_file(path: Path, length: int) -> Callable[[int, int], Tensor]:
    """Return what draws clips of a file of frames: so many, for a seed."""
    starts = torch.from_numpy(windows(frames.episodes(path), length, stride=4))

    def draw(count: int, seed: int) -> Tensor:
        chosen = starts[randomness.permutation(len(starts), seed, "clips")[:count]].tolist()
        with frames.opening(path) as file:
            return torch.stack([torch.from_numpy(file["frames"][n : n + length]) for n in chosen])

    return draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, help="a file of frames, such as data/frames.h5")
    parser.add_argument("--clips", type=int, default=128)
    options = parser.parse_args()
    draw = of_file(options.frames, 16) if options.frames else scenes
    for name, value in table(draw(options.clips, 0), draw(options.clips, 1)).items():
        print(f"{name:32} {value:10.2f} {UNIT}")
    for count, value in sizes(draw, [80, 160, 320, 640]).items():
        print(f"two sets of {count:4} clips            {value:10.2f} {UNIT}")


if __name__ == "__main__":
    main()
