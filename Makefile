# Everything for a fresh machine: Python >= 3.11 and make. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CASE ?= build/case
LOGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check rehearse bench fuzz clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.installed ## Play the founding case; with LOGS="/var/log/mail.log*" investigate your own (CASE=folder)
ifeq ($(strip $(LOGS)),)
	@rm -rf build/founding-case
	@$(BIN)/hikeshi drill founding --out build/founding-case
else
	@$(BIN)/hikeshi investigate $(LOGS) --case $(CASE)
endif

test: $(VENV)/.developing ## Run all tests
	@$(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/.developing ## Style, types, and the map of the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

rehearse: $(VENV)/.developing ## A takeover against real Postfix and Dovecot with the guard at the port (as root, on loopback)
	@$(BIN)/python tests/real/rehearse.py

bench: $(VENV)/.developing ## Speed and memory beside pflogsumm, postfix-logsums and wc -l (LINES=5000000); the port with and without the guard
	@$(BIN)/python -m pip install -q --disable-pip-version-check postfix-logsums
	@$(BIN)/python bench/bench.py $(if $(LINES),--lines $(LINES))
	@rm -rf build/bench/guard*
	@$(BIN)/python bench/port.py --guard "$(BIN)/hikeshi guard --listen {listen} --state build/bench/guard --case build/bench/guard-case"
	@$(BIN)/python bench/endurance.py

fuzz: $(VENV)/.developing ## Fuzz the line sources and the milter protocol with atheris (SECONDS=60)
	@$(BIN)/python -m pip install -q atheris
	@$(BIN)/python tests/fuzz/fuzz_lines.py -max_total_time=$(or $(SECONDS),60)
	@$(BIN)/python tests/fuzz/fuzz_milter.py -max_total_time=$(or $(SECONDS),60)

clean: ## Remove what was built
	rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hikeshi needs Python 3.11 or newer: make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "installing hikeshi into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/.developing: $(VENV)/.installed
	@echo "installing what the tests need …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dkim,google,keyring,m365,pdf,postgresql,redis,testing]' \
		aiosmtpd axe-core-python google-api-python-client hypothesis import-linter mypy pypdf pytest pytest-xdist python-dateutil ruff
	@$(BIN)/python -m pip install -q --disable-pip-version-check 'python-ldap>=3.4' 2>/dev/null \
		|| echo "python-ldap could not be built (on Debian: build-essential python3-dev libldap-dev libsasl2-dev); its tests are skipped"
	@touch $@
