"""What the process of one attempt does: load CARLA's client and speak to the server.

Nothing else is imported here, so that a new process is there soon.
"""

import contextlib
import importlib
from collections.abc import Generator
from types import ModuleType

from foreframe.errors import UserError
from foreframe.sources import Block, in_blocks
from foreframe.sources.carla import world as carla_world
from foreframe.sources.carla.settings import Drive
from foreframe.sources.carla.world import Journey


def greet(settings: Drive) -> Generator[Block, None, None]:
    """Yield nothing; see whether there is a server that has what is asked for.

    Raises:
        UserError: it has not, or the package is missing.
        LostError: there is no server.
    """
    carla_world.connect(_library(), settings)
    yield from ()


def drive(settings: Drive, journey: Journey) -> Generator[Block, None, None]:
    """Yield the frames of one episode, uint8 (n, height, width, 3), with actions and states.

    Raises:
        UserError: as `carla_world.record`, or the package is missing.
        LostError: the server was lost on the way.
    """
    with contextlib.closing(carla_world.record(_library(), settings, journey)) as rows:
        yield from in_blocks(rows)


def _library() -> ModuleType:
    try:
        return importlib.import_module("carla")
    except ImportError as error:
        raise UserError(
            f"The source carla needs CARLA's client, which cannot be loaded ({error}). Install the "
            "version of your server, for example: python -m pip install carla==0.9.16"
        ) from None
