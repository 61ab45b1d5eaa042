# quickstart: everything set up and the main job run.  test: everything checked.
.PHONY: quickstart flywheel install deploy test lint faults train test-train bench lock

PYTHON ?= python3
BIN := .venv/bin
CORE := .venv/core.installed
DEV := .venv/dev.installed
TRAIN := .venv/train.installed
# What builds a package is pinned as well.
PIP := PIP_CONSTRAINT=constraints-dev.txt $(BIN)/pip --disable-pip-version-check install --quiet --no-deps

quickstart: $(CORE)
	@sh deployments/sample/quickstart.sh $(BIN)/openbook

install: $(CORE)

# Every flow with its schedule, on Prefect's configured server or the one of OPENBOOK_HOME.
deploy: $(CORE)
	@$(BIN)/openbook deploy

# The constraints list every package that is needed and no other (README, "Installed size"), so pip
# resolves nothing.
$(CORE): constraints.txt pyproject.toml
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(PIP) -r constraints.txt
	$(PIP) --editable .
	@touch $@

$(DEV): $(CORE) constraints-dev.txt
	$(PIP) -r constraints-dev.txt
	@touch $@

# The second line brings what the PyTorch that was found asks for: nothing for a build without CUDA,
# else NVIDIA's libraries, in the versions that it names itself.
$(TRAIN): $(CORE) constraints-train.txt
	$(PIP) -r constraints-train.txt
	PIP_CONSTRAINT=constraints-train.txt $(BIN)/pip --disable-pip-version-check install --quiet torch
	@touch $@

test: $(DEV)
	$(BIN)/pytest -n 2 --dist loadgroup

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The whole fault suite, of which `make test` runs a share; then ten minutes of chaos.
faults: $(DEV)
	$(BIN)/pytest -n 2 --dist load -m "faults or not faults" tests/faults tests/flows/test_up.py tests/flows/test_runners.py
	$(BIN)/python -m tests.faults.chaos --minutes 10

# Training on this machine: PyTorch and its kin, a small model, and what serves it.
train: $(TRAIN)

# The whole loop with a small model, offline on the processor: some minutes.
flywheel: $(TRAIN)
	@$(BIN)/python deployments/sample/flywheel/flywheel.py $(BIN)/openbook

test-train: $(DEV) $(TRAIN)
	$(BIN)/pytest -n 2 --dist loadgroup -m train

bench: $(DEV)
	$(BIN)/python -m tests.bench

# Needs uv; resolves pyproject.toml anew and pins what comes out.
lock:
	uv pip compile --quiet --universal --no-header --no-annotate --upgrade pyproject.toml -o constraints.txt
	uv pip compile --quiet --universal --no-header --no-annotate --upgrade --extra dev -c constraints.txt pyproject.toml -o constraints-dev.txt
	(uv pip compile --quiet --universal --no-header --no-annotate --extra train --extra offline -c constraints-dev.txt pyproject.toml; \
		echo huggingface-hub | uv pip compile --quiet --universal --no-header --no-annotate --no-config -c constraints-dev.txt -) \
		| sort -u | awk -F '==' 'NR == FNR { core[$$1]; next } !($$1 in core)' constraints.txt - \
		| grep -vE '^(cuda|nvidia|triton)' > constraints-train.txt
