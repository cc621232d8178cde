"""A Python of its own for scripts that compare with other programs: a virtual environment in ~/.cache/kshot with h5py,
safetensors and what the script adds, and PyTorch from the wheel in which scripts/setup found LibTorch, so that nothing
large is installed twice. A script that needs no PyTorch names all of its packages: enter_with().
"""

import ctypes
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path.home() / ".cache/kshot"
# After h5py, safetensors and numpy: what PyTorch itself imports; set-up installs its wheel without dependencies.
PACKAGES = ["h5py==3.*", "safetensors==0.*", "numpy==2.*", "typing_extensions==4.*", "sympy==1.*", "filelock==3.*",
            "jinja2==3.*", "networkx==3.*", "fsspec"]


class Unavailable(Exception):
    """The environment cannot be had here: no network, no Python that fits."""


def say(text):
    print(f"{pathlib.Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)


def torch_dir():
    found = subprocess.run([TOP / "scripts/setup", "--print-torch-dir"], text=True, capture_output=True)
    if found.returncode != 0:
        raise Unavailable(found.stderr.strip() or "LibTorch was not found: run scripts/setup first")
    return pathlib.Path(found.stdout.strip())


def python_for(torch):
    """The interpreter that the wheel's extension module was built for, and its version as "3.11"."""
    module = next(torch.glob("_C.cpython-*.so"), None)
    tag = re.match(r"_C\.cpython-3(\d+)-", module.name) if module else None
    if tag is None:
        raise Unavailable(f"{torch} is LibTorch without PyTorch's Python part")
    version = f"3.{tag[1]}"
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in ["/usr/bin/python3", sys.executable, f"python{version}"]:
        if shutil.which(python) and subprocess.run([python, "-c", ask], text=True, capture_output=True).stdout.strip() == version:
            return python, version
    raise Unavailable(f"the PyTorch in {torch} is for Python {version}, which is not here")


def fill(folder, python, packages):
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    say(f"installing {', '.join(re.split('[=<>]', package)[0] for package in packages)} into ~/.cache/kshot (once)")
    # Debian's python3 makes no environment with pip inside unless python3-venv is installed.
    pip = [python, "-m", "pip", "--python", new / "bin/python", "install", "--quiet", "--only-binary=:all:",
           "--no-cache-dir", "--disable-pip-version-check", *packages]
    for command in ([python, "-m", "venv", "--without-pip", new], pip):
        done = subprocess.run(command, text=True, capture_output=True)
        if done.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise Unavailable(f"{command[2]}: {lines[-1]}")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def enter_with(packages, python=sys.executable, version="%d.%d" % sys.version_info[:2]):
    """Continues this program in an environment of these packages, made if need be; returns once it runs there."""
    folder = CACHE / f"outside-{version}-{hashlib.sha256(repr(packages).encode()).hexdigest()[:8]}"
    if pathlib.Path(sys.prefix) == folder:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "outside.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fill(folder, python, packages)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    # A task is too small to share out among threads; large tensors are not to go back to the kernel after each task.
    environment |= {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}
    os.execve(folder / "bin/python", [str(folder / "bin/python"), *sys.argv], environment)


def enter(further_packages=()):
    """The same with PyTorch and what it needs; returns the torch folder."""
    torch = torch_dir()
    enter_with([*PACKAGES, *further_packages], *python_for(torch))
    return torch


def empty_library(name):
    path = pathlib.Path(sys.prefix) / "empty" / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        new = path.with_name(f"{name}.{os.getpid()}")
        made = subprocess.run(["c++", "-shared", "-x", "c++", os.devnull, "-o", new, f"-Wl,-soname,{name}"],
                              text=True, capture_output=True)
        if made.returncode != 0:
            raise Unavailable(f"no empty {name} could be made: {made.stderr.strip().splitlines()[-1]}")
        new.rename(path)
    return path


def load_libraries(torch):
    """Loads PyTorch's libraries. Its Python part is linked with all of CUDA, 3 GB that set-up leaves out on a machine
    without a GPU; work on the CPU calls none of it, so that an empty library of the right name serves."""
    lazily = os.RTLD_LAZY | os.RTLD_GLOBAL
    sys.setdlopenflags(lazily)
    while True:
        try:
            return ctypes.CDLL(str(torch / "lib/libtorch_python.so"), lazily)
        except OSError as problem:
            missing = re.match(r"(lib(?:cu|nccl|nv)[\w.-]+): cannot open shared object file", str(problem))
            if missing is None:
                raise Unavailable(f"PyTorch cannot be loaded: {problem}") from None
            ctypes.CDLL(str(empty_library(missing[1])), lazily)


def load_torch(torch):
    say("loading PyTorch")
    load_libraries(torch)
    sys.path.append(str(torch.parent))
    import torch as module
    return module
