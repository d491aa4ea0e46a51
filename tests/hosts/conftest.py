"""The marker of the slow tests."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hosts: needs an editing program that `make test-hosts` sets up; minutes")
