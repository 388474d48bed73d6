"""Both sides of a race: attune's runs, and processes of PyTorch that answer requests (peer.py)."""
import contextlib, itertools, json, os, pathlib, platform, shutil, subprocess, sys

import h5py, numpy as np

import workloads

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def run(program, config, folder, *words):
    """The run file of a study of one trial, and what its metadata measured."""
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run([program, "run", config, "-q", "-o", folder, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"attune run {config} {' '.join(map(str, words))}: {done.stderr.strip()}")
    (file,) = folder.glob("*/trials/*.h5")
    return file, {k: v["value"] for k, v in json.loads(file.with_suffix(".meta.json").read_text())["measured"].items()}


class Attune:
    """A training workload; it writes its data and weights."""

    def __init__(self, program, folder, variant):
        self.program, self.folder, self.variant, self.step = program, folder / "attune", variant, None
        self.config = ROOT / f"configs/bench/{variant.workload.lower()}.yaml"
        file, init = folder / f"{variant.name}.h5", folder / f"{variant.name}.weights.h5"
        self.data, self.weights = workloads.make_data(variant, file), workloads.make_weights(variant, init)
        self.words = [f"data.file={file}", f"train.init_from={init}"]

    def losses(self, steps):
        words = workloads.Variant(self.variant.workload, self.variant.off, dropout=False).overrides()
        file, _ = run(self.program, self.config, self.folder, *self.words, *words, f"train.steps={steps}")
        with h5py.File(file) as f:
            return f["metrics/train/loss"][:].tolist()

    def ways(self, threads):
        def time(n):
            def one(seconds):
                self.step = self.step or run(self.program, self.config, self.folder, *self.words, *self.variant.overrides(), "train.steps=5")[1]["time/step"]
                steps = max(5, round(seconds / self.step))
                measured = run(self.program, self.config, self.folder, *self.words, *self.variant.overrides(), f"train.steps={steps}", "--threads", n)[1]
                return [1e3 * measured["time/step"]]
            return one
        return {f"{n} thread{'s' if n > 1 else ''}": time(n) for n in threads}


class Cost:
    """Of an op, by kind op_cost."""

    def __init__(self, program, folder, options):
        self.program, self.folder, self.options = program, folder / "cost", options

    def measured(self, seconds, threads):
        words = [f"op_cost.{k}={v}" for k, v in self.options.items()]
        return run(self.program, ROOT / "configs/bench/w5.yaml", self.folder, *words, f"op_cost.seconds={seconds}", "--threads", threads)[1]

    def ways(self, threads):
        return {f"{n} thread{'s' if n > 1 else ''}": lambda seconds, n=n: [1e3 * self.measured(seconds, n)["time/total"]] for n in threads}


class Peer:
    """A process of PyTorch with a number of threads."""

    def __init__(self, python, threads):
        self.threads = threads
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([python, HERE / "peer.py", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "PyTorch's process ended"}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def peer_files(folder, data, weights):
    files = {}
    for kind, arrays in (("data", data), ("weights", weights)):
        files[kind] = str(folder / f"peer.{kind}.npz")
        np.savez(files[kind], **arrays)
    return files


class Peers:
    def __init__(self, python, threads, folder):
        self.peers, self.folder = [Peer(python, n) for n in threads], folder

    def build(self, peer, way, **request):
        """(a function that times it, nothing) or (nothing, what went wrong)."""
        name = f"{way}, {peer.threads} thread{'s' if peer.threads > 1 else ''}"
        result = peer.ask(do="build", **{"as": name}, **request)
        if "error" in result:
            return name, None, f"PyTorch, {name}: {result['error']}"
        return name, lambda seconds: peer.ask(do="time", seconds=seconds, **{"as": name})["ms"], None

    def of_training(self, variant, data, weights, steps):
        """Its ways by name, the losses of each kind of program after so many steps, and what failed."""
        files = peer_files(self.folder, data, weights)
        request = dict(workload=variant.workload, sizes=variant.sizes, **files)
        shapes = [dict(compiled=c) for c in (False, True)]
        if variant.workload == "W4":
            shapes = [dict(compiled=False, padded=True), dict(compiled=True, padded=True), dict(compiled=False, padded=False)]
        ways, losses, failed = {}, [], []
        for peer, shape, fused in itertools.product(self.peers, shapes, (False, True)):
            words = ["compiled" if shape["compiled"] else "eager", *(["one by one"] if not shape.get("padded", True) else []), *(["fused Adam"] if fused else [])]
            name, time, wrong = self.build(peer, " ".join(words), options=shape | {"fused": fused}, **request)
            if wrong:
                failed.append(wrong)
                continue
            ways[name] = time
        result = self.peers[0].ask(do="losses", steps=steps, options={})
        if "error" in result:
            failed.append(f"PyTorch, losses: {result['error']}")
        else:
            losses.append(result["losses"][-1])
        return ways, losses, failed

    def of_attention(self, n, heads, d_head):
        found = [self.build(p, "SDPA", workload="W5", sizes=dict(n=n, heads=heads, d_head=d_head)) for p in self.peers]
        return {name: time for name, time, wrong in found if time}, [wrong for *_, wrong in found if wrong]


def has_torch(python):
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


@contextlib.contextmanager
def peers(python, threads, folder, none):
    """None where there is no PyTorch."""
    if none or not has_torch(python):
        yield None
        return
    all_of_them = Peers(python, threads, folder)
    try:
        yield all_of_them
    finally:
        for peer in all_of_them.peers:
            peer.close()


def machine():
    facts = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(":")[1].strip() for line in facts.splitlines() if line.startswith("model name")), platform.processor())
    return {"processor": model, "cores": os.cpu_count(), "system": platform.system(), "load": list(os.getloadavg())}
