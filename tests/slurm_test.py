#!/usr/bin/env python3
"""A real Slurm on this machine runs the file that `kshot sweep --slurm` writes.

Usage: slurm_test.py KSHOT

Starts slurmctld and slurmd of its own in a temporary folder, which only root can do. Exits with 77, skipped, where
Slurm (Debian: slurmctld, slurmd, slurm-client) is not installed or the user is not root. Takes one to four minutes.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from outside_program import Failed, require, run, write_tiny_spec

KSHOT = pathlib.Path(sys.argv[1]).resolve()
PATIENCE = 300  # seconds until something that must come counts as missing


def skip_without_slurm():
    missing = [tool for tool in ["slurmctld", "slurmd", "sbatch", "scontrol"] if shutil.which(tool) is None]
    reason = f"{', '.join(missing)} not installed" if missing else "not root" if os.geteuid() != 0 else ""
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise Failed(f"{what}: not within {PATIENCE} seconds")


class Slurm:
    """One controller and one node, both here."""

    def __init__(self, folder):
        self.folder = folder
        host = socket.gethostname().split(".")[0]
        controller, node = free_ports(2)
        for name in ["state", "spool"]:
            (folder / name).mkdir()
        self.conf = folder / "slurm.conf"
        self.conf.write_text(f"""
ClusterName=kshot
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MailProg=/bin/true
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
""")
        self.environment = os.environ | {"SLURM_CONF": str(self.conf)}
        self.daemons = []

    def __enter__(self):
        try:
            for daemon in ["slurmctld", "slurmd"]:
                log = open(self.folder / f"{daemon}.log", "w")
                self.daemons.append(subprocess.Popen([daemon, "-D", "-f", str(self.conf)], stdout=log, stderr=log))
            wait_for("an idle node", self.is_ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def is_ready(self):
        for daemon in self.daemons:
            if daemon.poll() is not None:
                raise Failed(f"{daemon.args[0]} ended:\n{(self.folder / (daemon.args[0] + '.log')).read_text()[-3000:]}")
        nodes = subprocess.run(["sinfo", "-h", "-o", "%T"], text=True, capture_output=True, env=self.environment)
        return nodes.stdout.strip() == "idle"

    def command(self, *words):
        return run(words, env=self.environment).stdout.strip()

    def job(self, job):
        """What `scontrol show job` says, as key=value."""
        return dict(word.split("=", 1) for word in self.command("scontrol", "show", "job", job).split() if "=" in word)


def write_sweep(folder, name, block, **changes):
    spec = write_tiny_spec(folder, name, sweep=block, **changes)
    results = folder / "results"
    run([KSHOT, "sweep", spec, "--device", "cpu", "--threads", "1", "--results", results, "--slurm", folder / f"{name}.sh"])
    sweep = next((results / name / "sweeps").iterdir())
    plan = [json.loads(line) for line in (sweep / "plan.jsonl").read_text().splitlines()]
    return sweep, [results / name / trial["run"] for trial in plan]


def test_array(slurm, folder):
    """Every trial is trained by a task of its own; the command in the file's head then chooses and tests."""
    sweep, runs = write_sweep(folder, "array", {"backbone.channels": [4, 8], "seed": [1, 2]})
    slurm.command("sbatch", "--parsable", str(folder / "array.sh"))
    wait_for("the trials", lambda: all((r / "validation.json").exists() for r in runs))
    wait_for("the end of the array", lambda: slurm.command("squeue", "-h") == "")
    require(not any((r / "result.json").exists() for r in runs), "a task tested its trial")
    logs = sorted((sweep / "logs").glob("slurm-*.out"))
    require([log.name for log in logs] == [f"slurm-{i}.out" for i in range(4)], f"logs of tasks: {logs}")
    head = [line for line in (folder / "array.sh").read_text().splitlines() if line.startswith("#   ") and "sweep.json" in line]
    done = run(["sh", "-c", head[0].removeprefix("#   ")])
    require("Chosen by validation" in done.stdout, f"no choice: {done.stdout}")
    require(sum((r / "result.json").exists() for r in runs) == 2, "other than the chosen two seeds were tested")


def test_time_limit(slurm, folder):
    """A trial that is longer than its time limit stops in order, is queued again and goes on where it was."""
    _, [trained] = write_sweep(folder, "limit", {"seed": [1]}, train={"iterations": 10**7, "validate_every": 0})
    state = trained / "checkpoints" / "last.json"
    # Slurm looks at limits every half minute or so. What counts is the end of the minute less 40 seconds.
    job = slurm.command("sbatch", "--parsable", "--time=1", "--signal=B:USR1@40", str(folder / "limit.sh"))
    task = f"{job}_0"
    wait_for("a second start", lambda: slurm.job(task).get("Restarts") == "1")
    first = json.loads(state.read_text())["state"]["iteration"]
    require(first > 0, "the first attempt left no checkpoint of its work")

    def went_on():
        if slurm.job(task).get("Reason") == "BeginTime":  # a pause of minutes, behind which any start comes
            slurm.command("scontrol", "update", f"JobId={task}", "StartTime=now")
        return json.loads(state.read_text())["state"]["iteration"] > first

    wait_for("work after the second start", went_on)
    slurm.command("scancel", job)
    wait_for("the end of the task", lambda: slurm.command("squeue", "-h") == "")
    log = next(trained.parent.glob("sweeps/*/logs/slurm-0.out")).read_text()
    require("stopped by a signal" in log, f"the first attempt was not stopped in order: {log}")


skip_without_slurm()
with tempfile.TemporaryDirectory(prefix="kshot-slurm-") as temporary:
    top = pathlib.Path(temporary)
    try:
        with Slurm(top) as slurm:
            test_array(slurm, top)
            print("array: passed", flush=True)
            test_time_limit(slurm, top)
            print("time limit: passed")
    except Failed as failure:
        sys.exit(f"slurm: {failure}")
