"""The real package's interface, as a file: `python -m` this module writes it, given the package.

Its classes say in their docstrings which parameters they take: `tick( (World)arg1 [, (float)...`.
"""

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

from tests.foreframe.sources import carla_double
from tests.foreframe.sources.carla_double_actors import (
    ActorAttribute,
    ActorBlueprint,
    BlueprintLibrary,
    Location,
    Rotation,
    Sensor,
    Transform,
    Vehicle,
)
from tests.foreframe.sources.carla_double_server import WorldSettings

SIGNATURES = Path(__file__).with_name("carla_signatures.json")

# The classes of the double, and the attributes of those that only hold values.
METHODS = [
    carla_double.Client,
    carla_double.World,
    carla_double.TrafficManager,
    carla_double.Map,
    BlueprintLibrary,
    ActorBlueprint,
    ActorAttribute,
    Vehicle,
    Sensor,
    Transform,
    Location,
    Rotation,
    carla_double.DestroyActor,
]
VALUES = {
    "WorldSettings": tuple(vars(WorldSettings())),
    "Image": ("frame", "width", "height", "raw_data"),
    "VehicleControl": ("steer", "throttle", "brake"),
    "Vector3D": ("x", "y", "z"),
    "Transform": ("location", "rotation"),
    "Rotation": ("yaw",),
    "Location": ("x", "y"),
    "ActorBlueprint": ("id",),
    "Actor": ("id",),
}

# What the double's own machinery is made of.
OWN = {"advance", "destroyed", "alive", "image", "radius"}


def used() -> dict[str, list[str]]:
    """Return the parameters of each method of the double, without those that lead to its server."""
    result = {}
    for kind in METHODS:
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if (not name.startswith("_") and name not in OWN) or name == "__init__":
                parameters = list(inspect.signature(method).parameters)[1:]
                result[f"{kind.__name__}.{name}"] = [one for one in parameters if one != "server"]
    # Made by the server alone.
    own = {"World", "TrafficManager", "Map", "BlueprintLibrary", "ActorBlueprint", "ActorAttribute"}
    own |= {"Vehicle", "Sensor"}
    return {
        name: value for name, value in result.items() if name not in {f"{k}.__init__" for k in own}
    }


def real(library: Any) -> dict[str, list[list[str]]]:
    """Return the parameters of each form of each of these methods in the real package."""
    result = {}
    for name in used():
        kind, method = name.split(".")
        where = library.command if kind == "DestroyActor" else library
        text = getattr(getattr(where, kind), method).__doc__
        forms = re.findall(rf"^{method}\((.*)\) -> ", text, re.MULTILINE)
        result[name] = [re.findall(r"\(\w+\)(\w+)", form)[1:] for form in forms]
    return result


if __name__ == "__main__":
    found = real(importlib.import_module("carla"))
    SIGNATURES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
