# `make demo` and `make test` set up everything they need: a .venv in the checkout, nothing outside it.

PYTHON ?= python3
SHARED ?= ../shared
OUT ?= bench-out
DEVICE ?= cuda:0
WORKERS ?= 2
HOSTS_SID ?= build/hosts-sid

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
PROTO_VENV := build/proto-venv
PANEL := tests/plugin/premiere
PANEL_STAMP := build/panel/.set-up
PROTOS := $(wildcard proto/cleanplate/v1/*.proto)

.PHONY: help setup demo test test-networks test-page test-hosts lint types bench bench-gpu bench-memory bench-quality proto clean

help:
	@echo "make setup          a .venv with everything in it"
	@echo "make demo           click, track, fill on a shot of its own making; figures, picture, media"
	@echo "make test           all tests; those that need melt, luajit, node (20 or later, npm) or chromium skip where these are"
	@echo "                    not installed: apt-get install melt luajit nodejs npm chromium-headless-shell;"
	@echo "                    WORKERS=$(WORKERS) processes at once"
	@echo "make test-page      the picker's page in a browser; says why where it skips"
	@echo "make test-networks  the published networks: every array of their cases, their contracts as engines; minutes"
	@echo "make test-hosts     timelines in Kdenlive and Blender; root on Debian, 3 GB in HOSTS_SID=$(HOSTS_SID), minutes"
	@echo "make lint types     ruff, mypy --strict"
	@echo "make bench          frames per second and peak memory (QUICK=1 for a short look)"
	@echo "make bench-gpu      networks on a GPU: speed beside the published figures, masks in half precision; DEVICE=cpu in small"
	@echo "make bench-memory   peak memory of whole jobs on 1080p, 10 s against 60 s; an hour or so"
	@echo "make bench-quality  clicks, tracks and fills against truth at every effort, and whole jobs against the clock, on the clips"
	@echo "                    in SHARED=$(SHARED); an hour or so"
	@echo "make proto          the stubs in proto/, anew"
	@echo "make clean          remove what these made"

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else f'Python 3.10 to 3.13 is needed, this is {v[0]}.{v[1]}; run make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/cleanplate demo -o demo-out

test: setup $(PANEL_STAMP)
	@command -v chromium-headless-shell chromium google-chrome >/dev/null || echo "no chromium: the page's tests in a browser skip"
	$(BIN)/python -m pytest -n $(WORKERS) -m "not hosts and not networks"

test-networks: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m networks

test-page: setup $(PANEL_STAMP)
	$(BIN)/python -m pytest -rs tests/plugin/page

# What checks the panel of Premiere: its published types and a compiler. Without npm, or without packages, its tests skip.
$(PANEL_STAMP): $(PANEL)/package-lock.json
	mkdir -p $(@D)
	@if ! command -v npm >/dev/null; then echo "no npm: the panel's tests skip"; \
	elif npm ci --silent --no-audit --no-fund --prefix $(PANEL); then touch $@; \
	else echo "npm could not fetch the panel's packages: its type check skips"; fi

test-hosts: setup
	tests/hosts/set_up.sh "$(abspath $(HOSTS_SID))"
	HOSTS_SID="$(abspath $(HOSTS_SID))" $(BIN)/python -m pytest -m hosts -rs tests/hosts

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

bench: setup
	$(BIN)/python tests/bench/speed.py $(if $(QUICK),--quick)

bench-gpu: setup
	PYTHONPATH=tests $(BIN)/python tests/bench/gpu.py --device $(DEVICE)

bench-memory: setup
	$(BIN)/python tests/bench/memory.py

bench-quality: setup
	mkdir -p $(OUT)
	test -d $(OUT)/shots || $(BIN)/python $(SHARED)/bench/removal_set.py $(SHARED)/clips $(SHARED)/bench/removal_shots.json $(OUT)/shots
	$(BIN)/python tests/bench/click_quality.py $(SHARED)/clips/davis
	for effort in balanced fast best; do \
	  echo "effort $$effort" && \
	  $(BIN)/python tests/bench/track_quality.py $(SHARED)/clips/davis $(OUT)/tracks/$$effort --effort $$effort && \
	  $(BIN)/python tests/bench/fill_quality.py $(OUT)/shots -o $(OUT)/filled/$$effort --effort $$effort || exit 1; \
	done
	$(BIN)/python tests/bench/job_speed.py $(SHARED)/clips/davis

# The oldest generator that is supported: generated files refuse a runtime older than their own. Python 3.10 to 3.12.
proto: $(PROTO_VENV)/.set-up
	$(PROTO_VENV)/bin/python -m grpc_tools.protoc -I proto \
		-I $$($(PROTO_VENV)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") \
		--plugin=protoc-gen-mypy=$(PROTO_VENV)/bin/protoc-gen-mypy \
		--plugin=protoc-gen-mypy_grpc=$(PROTO_VENV)/bin/protoc-gen-mypy_grpc \
		--python_out=proto --grpc_python_out=proto --mypy_out=proto --mypy_grpc_out=proto $(PROTOS)

$(PROTO_VENV)/.set-up:
	$(PYTHON) -m venv $(PROTO_VENV)
	$(PROTO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		grpcio-tools==1.62.3 mypy-protobuf==3.6.0 "googleapis-common-protos<1.67" "setuptools<81"
	touch $@

clean:
	rm -rf $(VENV) build dist demo-out bench-out $(PANEL)/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find proto server plugin tests -name __pycache__ -type d -prune -exec rm -rf {} +
