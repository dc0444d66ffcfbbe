"""What every section of params.yaml shares: strict types, no unknown keys, no defaults, frozen."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A section that takes exactly its keys, with exactly their types, and never changes."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )
