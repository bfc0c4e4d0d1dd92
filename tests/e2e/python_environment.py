"""Python environments with packages for tests, made with pip where the package index can be reached; else tests skip and say so.

CONCLAVE_TEST_PYTHON names an interpreter that has everything, to use instead.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

LIBTORCH = os.environ.get("CONCLAVE_LIBTORCH") or os.path.expanduser("~/.cache/conclave/libtorch-2.11.0")
TORCH_NEEDS = ["numpy", "typing_extensions", "sympy", "networkx", "jinja2", "filelock", "fsspec"]


def make_environment(packages):
    """An interpreter of its own with these packages, until the test module ends. Skips the test where it can't be made."""
    given = os.environ.get("CONCLAVE_TEST_PYTHON")
    if given:
        return given
    folder = tempfile.mkdtemp(prefix="conclave-python-")
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True)
    if made.returncode != 0:
        raise unittest.SkipTest("python3 -m venv does not work here")
    interpreter = f"{folder}/bin/python"
    if not install(interpreter, packages):
        raise unittest.SkipTest("pip can't install " + " ".join(packages))
    return interpreter


def install(interpreter, packages):
    """Whether pip could install them."""
    try:
        pip = subprocess.run([interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
                              "--timeout", "15", *packages], capture_output=True, text=True, timeout=400)
    except subprocess.TimeoutExpired:
        return False
    return pip.returncode == 0


def imports_torch(interpreter, environment):
    return subprocess.run([interpreter, "-c", "import torch"], env=environment, capture_output=True).returncode == 0


def torch_environment(interpreter):
    """Environment variables with which this interpreter imports the PyTorch that LibTorch is from. Skips where it can't."""
    if "CONCLAVE_TEST_PYTHON" not in os.environ:
        install(interpreter, TORCH_NEEDS)
    environment = {**os.environ, "PYTHONPATH": LIBTORCH}
    if not imports_torch(interpreter, environment):
        raise unittest.SkipTest(f"PyTorch in {LIBTORCH} can't be imported here")
    return environment


def python_with_torch():
    """An interpreter and the variables with which it imports PyTorch: the one of `scripts/setup --dev` if it is there."""
    cache = os.environ.get("CONCLAVE_CACHE", os.path.expanduser("~/.cache/conclave"))
    oracles = f"{cache}/python/bin/python"
    if "CONCLAVE_TEST_PYTHON" not in os.environ and os.path.exists(oracles) and imports_torch(oracles, os.environ):
        return oracles, dict(os.environ)
    interpreter = make_environment(["numpy"])
    return interpreter, torch_environment(interpreter)
