"""Every rule below is read from dvc.yaml; there is no second copy of the DAG.

Snakemake owns order, parallelism and clusters; DVC owns commands, hashes, cache and dvc.lock. The one
thing that `snakemake --lint` asks for is left out, an environment for each rule: all share .venv.
"""

import sys

# The code beside this file reads the DAG, wherever an installed copy may be.
sys.path.insert(0, workflow.basedir)

from workflow import dag

STAGES = dag.read(workflow.basedir)

# DVC answers an unchanged stage from its records; `--config force=true` runs all of them again.
# The snakemake after that asks DVC about every stage once more, because this is a parameter too.
FORCE = "--force" if config.get("force") else ""


rule all:
    input:
        [path for stage in STAGES for path in stage.outs],


for stage in STAGES:

    rule:
        name:
            stage.identifier
        input:
            stage.deps,
            # Parameters that a stage writes: only the order counts, for their values stand below.
            # But a stage that waits for one that runs is not looked at for changes of its own.
            after=stage.after if stage.stale else ancient(stage.after),
        output:
            stage.outs,
        log:
            f"logs/{stage.identifier}.log",
        threads: stage.threads
        resources:
            **dict(stage.resources),
        params:
            stage=stage.name,
            command=stage.command,
            values=stage.values,
            force=FORCE,
        shell:
            "dvc --wait-for-lock repro --quiet {params.force}"
            " --single-item {params.stage:q} > {log:q} 2>&1"
