# The two commands are `make report` and `make test`; each sets up .venv first, once.

# The oldest and the newest Python that every locked package has a wheel for.
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& command -v $$name && break; done)
# Which build of torch: cpu, cuda, or auto (cuda where there is an NVIDIA GPU).
TORCH ?= auto

LOCKS := $(wildcard requirements/*.lock) pyproject.toml

.PHONY: help report study replication studies showcase test test-all lint setup lock clean

report study replication studies showcase test test-all lint: export PATH := $(CURDIR)/.venv/bin:$(PATH)

help:
	@echo "make report       set up .venv, run the driving study, write reports/driving/"
	@echo "make study NAME=driving_thesis"
	@echo "                  the same for another study, a folder of studies/"
	@echo "make studies      run every study at its smallest scale, in a clone of what is committed"
	@echo "make showcase     let README.md open with the clip and the numbers of the driving study"
	@echo "make test         set up .venv, check the code, run every quick test"
	@echo "make test-all     the same with the slow tests"
	@echo "make setup        only set up .venv (TORCH=cpu or TORCH=cuda chooses the build)"
	@echo "make lock         resolve requirements/*.in into *.lock again"
	@echo "make clean        remove .venv and caches; artefacts stay"

report: .venv/core.installed
	foreframe check --study driving
	python -m workflow.alone dvc repro dvc.yaml
	foreframe index

# As many stages side by side as there are cores.
study: .venv/core.installed
	foreframe check --study "$(NAME)"
	snakemake $(if $(filter-out driving,$(NAME)),"$(NAME)",all) --cores all --quiet rules
	foreframe index

# The name that the thesis study had.
replication: NAME = driving_thesis
replication: study

# Each study in a clone of its own, the longest first, as many at once as there are cores. `python -m`
# takes the code of the folder it is called in: the clone's. What is locked is of another scale, and DVC
# would write all of it again after every stage.
studies: .venv/core.installed
	set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	ls -S dvc.yaml studies/*/dvc.yaml | xargs -P $$(getconf _NPROCESSORS_ONLN) -I{} sh -ec ' \
	git clone -q . "$$0/{}"; cd "$$0/{}"; rm dvc.lock studies/*/dvc.lock; \
	python -m workflow.cli preset smoke > /dev/null; \
	python -m workflow.alone dvc repro {} > ../log 2>&1 || { cat ../log; exit 1; }; echo "{} ran"' "$$folder"

# After the driving study was locked anew: README.md shows what it made.
showcase: .venv/core.installed
	foreframe showcase

test: lint
	OMP_NUM_THREADS=1 python -m pytest -n logical --dist loadgroup -m "not slow"

test-all: lint
	OMP_NUM_THREADS=1 python -m pytest -n logical --dist loadgroup --hypothesis-profile=default

lint: .venv/dev.installed
	ruff check
	ruff format --check
	snakefmt --check Snakefile
	mypy
	codespell

setup: .venv/core.installed

.venv/core.installed: $(LOCKS) | python
	@$(PYTHON) -m workflow.install --torch $(TORCH)
	@touch $@

.venv/dev.installed: $(LOCKS) | python
	@$(PYTHON) -m workflow.install --torch $(TORCH) --dev
	@touch $@ .venv/core.installed

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "error: Foreframe needs Python 3.11, 3.12 or 3.13, and found \
	none. Install one (Debian, Ubuntu: apt install python3 python3-venv) or name yours: make \
	PYTHON=/path/to/python3.13"; exit 1; }

lock: .venv/dev.installed
	sh requirements/lock.sh

clean:
	rm -rf .venv .snakemake logs .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
