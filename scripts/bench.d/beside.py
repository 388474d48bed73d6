"""What scripts/bench measures beside steps: start, memory, many seeds, and growth with the length."""
import json, math, os, pathlib, shutil, statistics, subprocess, sys, time

import sides

HERE = pathlib.Path(__file__).resolve().parent
PATTERNS = ("full", "causal", "window", "causal_window", "dilated", "block", "top_k", "two_stage_top_k", "sparsemax", "entmax15", "linear", "performer", "linformer")
LENGTHS = (2048, 4096, 8192, 16384)


# A process is born with its parent's most memory, so that it must have a small one.
SMALL_PARENT = """
import os, sys, time
began = time.time()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(began, usage.ru_maxrss * 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


def peak(command):
    """When a process was started, the bytes that it held at most, and what it printed."""
    words = [str(word) for word in command]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", SMALL_PARENT, shutil.which(words[0]), *words[1:]], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed: {done.stderr}")
    began, held = done.stderr.split()[-2:]
    return float(began), int(held), done.stdout


def fresh(command):
    """The same command, whose folder is empty."""
    shutil.rmtree(command[command.index("-o") + 1], ignore_errors=True)
    return command


def peer_command(python, threads, request):
    return [python, HERE / "peer.py", threads, json.dumps(request)]


def request_of(variant, peer_files, **more):
    return dict(do="alone", workload=variant.workload, sizes=variant.sizes, **peer_files, **more)


def start_and_memory(ours, variant, args, files):
    """From the command to the end of the first step, in ms, and most memory in MB, of W1."""
    start, memory = {"attune": [], "peer": []}, {"attune": [], "peer": []}
    for _ in range(args.rounds):
        began = time.time()
        measured = sides.run(ours.program, ours.config, ours.folder, *ours.words, "train.steps=2")[1]
        start["attune"].append(1e3 * (measured["clock/first_step"] - began))
        memory["attune"].append(peak(fresh([ours.program, "run", ours.config, "-q", "-o", ours.folder, *ours.words, "train.steps=200"]))[1] / 1e6)
        if files:
            began, held, printed = peak(peer_command(args.python, args.threads[-1], request_of(variant, files, steps=200)))
            start["peer"].append(1e3 * (json.loads(printed)["first_step"] - began))
            memory["peer"].append(held / 1e6)
    entries = []
    for what, unit, values in (("start", "ms", start), ("memory", "MB", memory)):
        entry = {"measure": what, "unit": unit} | {side: statistics.median(v) for side, v in values.items() if v}
        if "peer" in entry:
            entry["ratio"] = entry["peer"] / entry["attune"]
        titles = {"start": "command to the end of the first step", "memory": "most memory, 200 steps"}
        print(f"{what:22} {entry['attune']:9.1f} {unit}" + (f"   {entry['peer']:9.1f} {unit}   {entry['ratio']:.1f}" if files else "") + f"   {titles[what]}", flush=True)
        entries.append(entry)
    return entries


def seeds(ours, variant, args, files):
    """Many seeds of W1, 200 steps each, on all cores: one command, and a process of PyTorch for each, a thread each, as many at a time as there are cores."""
    n, steps, cores = (8 if args.quick else 64), 200, len(args.threads)
    command = fresh([ours.program, "run", ours.config, "-q", "-o", ours.folder, *ours.words[:1], f"train.steps={steps}", f"seeds=0-{n - 1}"])
    began = time.time()
    peak(command)
    entry = {"measure": "seeds", "unit": "s", "seeds": n, "steps": steps, "attune": time.time() - began}
    if files:
        began, running = time.time(), []
        for _ in range(n):
            while len(running) == cores:
                running = [p for p in running if p.poll() is None]
                time.sleep(0.005)
            running.append(subprocess.Popen([str(w) for w in peer_command(args.python, 1, request_of(variant, files, steps=steps))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}))
        if any(p.wait() for p in running):
            sys.exit("a process of PyTorch failed")
        entry["peer"] = time.time() - began
        entry["ratio"] = entry["peer"] / entry["attune"]
    print(f"{'seeds':22} {entry['attune']:9.1f} s" + (f"   {entry['peer']:9.1f} s   {entry['ratio']:.2f}" if files else "") + f"   {n} seeds of W1, {steps} steps each, {cores} at a time", flush=True)
    return [entry]


def slope(lengths, values):
    """Of log value over log length, by least squares."""
    x, y = [math.log(n) for n in lengths], [math.log(max(v, 1e-12)) for v in values]
    mx, my = statistics.mean(x), statistics.mean(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / sum((a - mx) ** 2 for a in x)


def growth(program, folder, args):
    """Time and memory of attention, forward and backward, over the top three octaves of n."""
    entries = []
    for pattern in PATTERNS:
        times, memory = [], []
        for n in LENGTHS:
            cost = sides.Cost(program, folder, {"op": "attention", "attention": pattern, "n": n, "n_heads": 1, "d_head": 32, "backward": "true"})
            measured = cost.measured(0.3, args.threads[-1])
            times.append(1e3 * measured["time/total"])
            memory.append(measured["memory/total"] / 1e6)
        entry = {"measure": "growth", "pattern": pattern, "n": list(LENGTHS), "ms": times, "MB": memory, "time_slope": slope(LENGTHS, times), "memory_slope": slope(LENGTHS, memory)}
        print(f"growth {pattern:15} time n^{entry['time_slope']:.2f}   memory n^{entry['memory_slope']:.2f}   {times[-1]:10.1f} ms {memory[-1]:8.1f} MB at {LENGTHS[-1]}", flush=True)
        entries.append(entry)
    return entries
