"""Every rule below is read from dvc.yaml and studies/*/dvc.yaml; there is no second copy of a DAG.

Snakemake owns order, parallelism and clusters. DVC owns commands, hashes, cache, dvc.lock, and the word
on what is out of date: Snakemake's own guesses by time and by record are switched off, here and in
profiles/. The one thing that `snakemake --lint` asks for is left out, an environment for each rule:
all share .venv.
"""

import sys
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The code beside this file reads the DAG, wherever an installed copy may be.
sys.path.insert(0, workflow.basedir)

from foreframe.errors import UserError
from workflow import alone, cluster, dag, studies
from workflow.install import has_nvidia_gpu

try:
    with alone.steady(Path(workflow.basedir)):
        STAGES = dag.read(workflow.basedir)
        STUDIES = studies.places(Path(workflow.basedir))
except UserError as error:
    raise WorkflowError(str(error)) from None

# DVC answers an unchanged stage from its records; `--config force=true` runs all of them again.
FORCE = "--force" if config.get("force") else ""


JOBS = dag.jobs(STAGES)

# What is about to be written anew.
COMING = {path for job in JOBS if job.due for path in job.outs}


def lift_limit():
    """Have Snakemake look for work when a job ends, and not once a second as well.

    Of its limit to the jobs of a second it keeps a timer for each look, so that they grow with the
    jobs that ended: of 200 stages they took a seventh of a core. Clusters keep it, and where nothing
    is to run, as for a report, there is none. It is known once the DAG is built, not before.
    """
    if workflow.scheduling_settings and workflow.local_exec:
        workflow.scheduling_settings.max_jobs_per_timespan = None


def reads(job, wildcards):
    """Return a job's inputs; where a stage differs from dvc.lock, have Snakemake run it.

    This is what `snakemake --forcerun` does, for which there is no word in a Snakefile.
    """
    lift_limit()
    if job.changed or FORCE:
        workflow.dag.forcerules.add(workflow.get_rule(job.identifier))
    # Times say nothing. And a stage that is up to date must not hang on one that runs, for then
    # Snakemake would not look at what comes after it.
    return job.reads if job.due else ancient([path for path in job.reads if path not in COMING])


GPU = has_nvidia_gpu()


def shared(name, amount):
    """Return what tells Snakemake how much of a resource a stage takes.

    Trainings share the GPU that profiles/ offer. A machine that runs them itself, or a cluster, that
    has none shares its cores alone.
    """

    def taken(wildcards):
        if name != "gpu":
            return amount
        offered = GPU if workflow.local_exec else cluster.has_gpus()
        return amount if offered else 0

    return taken


onstart:
    # Waits for another run, and is this one until the process ends.
    alone.hold(Path(workflow.basedir))


def outputs(study):
    """Return what the stages of a study write."""
    return [path for stage in STAGES if stage.study == study for path in stage.outs]


# The main study.
rule all:
    input:
        outputs(studies.MAIN),


for place in STUDIES[1:]:

    rule:
        name:
            place.name
        input:
            outputs(place.name),


for job in JOBS:

    rule:
        name:
            job.identifier
        input:
            partial(reads, job),
        output:
            # Snakemake's own report shows the study's.
            [report(path) if path.endswith((".pdf", ".html")) else path for path in job.outs],
        log:
            f"logs/{job.identifier}.log",
        threads: job.threads
        resources:
            **{name: shared(name, amount) for name, amount in job.resources},
        params:
            stages=[stage.name for stage in job.stages],
            # For the report. Tuples, because Snakemake would look for wildcards in a text.
            command=tuple(stage.command for stage in job.stages),
            values=tuple(value for stage in job.stages for value in stage.values),
            force=FORCE,
        shell:
            "dvc --wait-for-lock repro --quiet {params.force}"
            " --single-item {params.stages:q} > {log:q} 2>&1"
