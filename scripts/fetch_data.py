"""Downloads a public data set, checks every byte of it, and imports it to data/<name>.h5.

scripts/fetch_data ct-covid          746 CT slices of 332 papers (349 COVID, 397 not) to data/ct_covid.h5
scripts/fetch_data tinyshakespeare   1,115,394 characters of Shakespeare to data/tinyshakespeare.h5
scripts/fetch_data cmudict           124,926 English words and their phonemes to data/cmudict.h5
scripts/fetch_data cora              2708 papers, 5278 citations, 1433 words, 7 subjects to data/cora.h5
scripts/fetch_data tu                MUTAG, PROTEINS and NCI1, graphs of two classes each, to data/mutag.h5, proteins.h5, nci1.h5
scripts/fetch_data all               every one of them

ATTUNE_DATA_MIRROR=DIR takes the sources from folders of DIR (data/README.md names them) instead of the network. data/README.md says
where the data comes from and under which licence.
"""
import csv
import hashlib
import http.client
import io
import itertools
import os
import pathlib
import pickle
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent


class FetchError(Exception):
    """What went wrong, and what to do: a whole sentence."""


def checksum(files):
    """SHA-256 over lines "<sha256 of the file>  <path>" in the order of paths, as sha256sum prints them."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n".encode())
    return total.hexdigest()


def check(name, files, count, expected, where):
    found = checksum(files)
    if len(files) != count or found != expected:
        raise FetchError(
            f"{name}: {where} is not the data that attune was tested with: {len(files)} files with checksum {found}, "
            f"expected {count} files with {expected}. Remove it and fetch it again; if the source itself has changed, "
            "please open an issue.")


def download(url):
    print(f"downloading {url}", file=sys.stderr)
    try:
        with urllib.request.urlopen(url, timeout=60) as reply:
            return reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url} cannot be downloaded: {error}. Without a network, put the files into a folder and set "
                         "ATTUNE_DATA_MIRROR to its parent.") from error


def from_github(repository, commit, keep):
    """Files of a commit by path, without the archive's leading folder; keep(path) says which."""
    url = f"https://github.com/{repository}/archive/{commit}.tar.gz"
    archive = download(url)
    files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for member in tar:
                path = member.name.partition("/")[2]
                if member.isfile() and keep(path):
                    files[path] = tar.extractfile(member).read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise FetchError(f"{url} came damaged or cut off ({error}): nothing was changed, fetch it again") from error
    return files


def one_from_github(repository, commit, path):
    """A single file of a commit, without its folders."""
    return {pathlib.PurePosixPath(path).name: download(f"https://raw.githubusercontent.com/{repository}/{commit}/{path}")}


def from_folder(folder, keep):
    if not folder.is_dir():
        raise FetchError(f"{folder} is no folder; ATTUNE_DATA_MIRROR must hold one of that name")
    paths = (str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    return {path: (folder / path).read_bytes() for path in paths if keep(path)}


def take(name, repository, commit, keep, count, expected, single=None, folder=None, below=""):
    """The checked files of a source, from the mirror's folder when there is one; `single` is the path of the only one,
    `below` where in the repository the paths of the others begin."""
    mirror = os.environ.get("ATTUNE_DATA_MIRROR")
    if mirror:
        source = pathlib.Path(mirror) / (folder or name)
        files, where = from_folder(source, keep), str(source)
    else:
        files = one_from_github(repository, commit, single) if single else from_github(repository, commit, lambda path: path.startswith(below) and keep(path[len(below):]))
        files = files if single else {path[len(below):]: content for path, content in files.items()}
        where = f"commit {commit} of github.com/{repository}"
    check(name, files, count, expected, where)
    return files


def attune(*arguments, **options):
    result = subprocess.run([str(ROOT / "scripts" / "attune"), *map(str, arguments)], **options)
    if result.returncode != 0:
        raise FetchError(f"attune {arguments[0]} ended with exit code {result.returncode}; its message is above")


def ct_source(path):
    """The paper that a slice was cut from: its name up to the page (-p12-…) or the part (%3)."""
    return re.split(r"%|-p\d", pathlib.PurePosixPath(path).stem)[0]


def fetch_ct_covid():
    classes = {"CT_COVID": "COVID", "CT_NonCOVID": "NonCOVID"}
    files = take("ct-covid", "GKasperek/data_c19_cropped", "2f7fa6d90ab9e1ed66fe546855ce7367d48d4df5", lambda path: path.split("/")[0] in classes,
                 746, "a1789dd6373599ba94068d96c785177f091ab280302d59f316cecccdc3037658")
    (ROOT / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="attune-ct-") as folder:
        source = pathlib.Path(folder) / "ct-covid"
        for path, content in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        labels = pathlib.Path(folder) / "labels.csv"
        with open(labels, "w", newline="", encoding="utf-8") as out:
            rows = csv.writer(out)
            rows.writerow(["file", "label", "group"])
            for path in sorted(files):
                rows.writerow([path, classes[path.split("/")[0]], ct_source(path)])
        attune("import", source, "--labels", labels, "-o", ROOT / "data" / "ct_covid.h5")


def fetch_tinyshakespeare():
    files = take("tinyshakespeare", "karpathy/char-rnn", "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e", lambda path: path == "input.txt",
                 1, "7a28594178015a70f2cbc9e411e6ea1636e1f845e8b35aaa971b340b592676df", single="data/tinyshakespeare/input.txt")
    (ROOT / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="attune-text-") as folder:
        text = pathlib.Path(folder) / "input.txt"
        text.write_bytes(files["input.txt"])
        attune("import", text, "--kind", "tokens", "-o", ROOT / "data" / "tinyshakespeare.h5")


def spoken_words(lines):
    """(word, phonemes) of a pronouncing dictionary: words of letters and apostrophes only, the first pronunciation of
    each (others are called word(2), …), phonemes without the digit of their stress; a comment begins with #."""
    for line in lines:
        word, *phonemes = line.partition("#")[0].split() or [""]
        if re.fullmatch("[a-z']+", word):
            yield word, [phoneme.rstrip("012") for phoneme in phonemes]


def fetch_cmudict():
    files = take("cmudict", "cmusphinx/cmudict", "0f8072f814306c5ee4fbf992ed853601b12c01f9", lambda path: path == "cmudict.dict",
                 1, "29375dd647e64e4f044d16deb745de5eb5373492dacdcc56497801e583bff15f", single="cmudict.dict")
    (ROOT / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="attune-words-") as folder:
        table = pathlib.Path(folder) / "cmudict.csv"
        with open(table, "w", newline="", encoding="utf-8") as out:
            rows = csv.writer(out)
            rows.writerow(["input", "answer", "group"])
            for word, phonemes in spoken_words(files["cmudict.dict"].decode().splitlines()):
                rows.writerow([" ".join(word), " ".join(phonemes), word])
        attune("import", table, "--kind", "pairs", "-o", ROOT / "data" / "cmudict.h5")


def write_graphs(name, columns, x, **attributes):
    """data/<name>.h5 (docs/data.md): columns by name, x sparse rows as (data, indices, indptr, shape). It is checked, and
    only then renamed into place."""
    try:
        import h5py
    except ImportError as error:
        raise FetchError(f"graphs are written with h5py ({error}): apt-get install python3-h5py, or pip install h5py") from error
    target = ROOT / "data" / f"{name}.h5"
    target.parent.mkdir(exist_ok=True)
    made = target.with_name(f".{name}.{os.getpid()}.h5")
    try:
        with h5py.File(made, "w", track_order=False) as file:
            file.attrs.update(schema="attune.dataset@1", kind="graphs", **attributes)
            for column, values in columns.items():
                file.create_dataset(column, data=values)
            for part, values in zip(("data", "indices", "indptr"), x):
                file.create_dataset(f"x/{part}", data=values)
            file["x"].attrs["shape"] = x[3]
        attune("check", made, stdout=subprocess.DEVNULL)
        os.replace(made, target)
    finally:
        made.unlink(missing_ok=True)
    print(f"{target.relative_to(ROOT)}: {len(columns['indptr']) - 1} nodes, {len(columns['indices'])} edges", file=sys.stderr)


class SparseMatrix:
    """What stands for scipy's in Planetoid's pickles: its attributes are data, indices, indptr and _shape."""

    def row(self, i):
        part = slice(self.indptr[i], self.indptr[i + 1])
        return sorted(zip(self.indices[part].tolist(), self.data[part].tolist()))


class PlanetoidUnpickler(pickle.Unpickler):
    """Pickles can run anything: only the classes that these hold are made."""

    def find_class(self, module, name):
        import collections

        import numpy
        allowed = {("scipy.sparse.csr", "csr_matrix"): SparseMatrix, ("numpy", "ndarray"): numpy.ndarray, ("numpy", "dtype"): numpy.dtype,
                   ("numpy.core.multiarray", "_reconstruct"): numpy.core.multiarray._reconstruct,
                   ("collections", "defaultdict"): collections.defaultdict, ("__builtin__", "list"): list}
        if (module, name) not in allowed:
            raise FetchError(f"a pickle of Cora holds {module}.{name}, which the published ones do not: remove it and fetch it again")
        return allowed[module, name]


def fetch_cora():
    """Yang et al. 2016: nodes 0 … 139 are trained on, the next 500 chosen by, those of test.index tested."""
    files = take("cora", "kimiyoung/planetoid", "af6abf468a772cc055bec88c52e4d6f51b7c37e3", lambda path: path.startswith("ind.cora."), 8,
                 "f60b9cb11b7f99aa213b99365acb5190724d3273537eec9a6b1780a2b09ca409", folder="planetoid", below="data/")
    part = {end: PlanetoidUnpickler(io.BytesIO(files[f"ind.cora.{end}"]), encoding="latin1").load() for end in ("y", "tx", "ty", "allx", "ally", "graph")}
    tested = [int(line) for line in files["ind.cora.test.index"].split()]
    n_known = len(part["ally"])
    n = n_known + len(tested)
    rows, labels = {}, {}
    for i in range(n_known):
        rows[i], labels[i] = part["allx"].row(i), part["ally"][i].argmax()
    for k, i in enumerate(tested):  # the k-th tested row is node i
        rows[i], labels[i] = part["tx"].row(k), part["ty"][k].argmax()
    neighbours = [set() for _ in range(n)]  # both ways, each once, no loops
    for i, others in part["graph"].items():
        for j in others:
            if i != j:
                neighbours[i].add(j)
                neighbours[j].add(i)
    n_train = len(part["y"])
    split = [0 if i < n_train else 1 if i < n_train + 500 else -1 for i in range(n)]
    for i in tested:
        split[i] = 2
    columns = {"indptr": starts(map(len, neighbours)), "indices": [j for around in neighbours for j in sorted(around)],
               "label": [int(labels[i]) for i in range(n)], "split": split}
    entries = [entry for i in range(n) for entry in rows[i]]
    write_graphs("cora", columns, ([value for _, value in entries], [column for column, _ in entries], starts(len(rows[i]) for i in range(n)),
                                   (n, part["allx"]._shape[1])), task="node")


def starts(lengths):
    return [0, *itertools.accumulate(lengths)]


def fetch_tu():
    """The text form of Zhang et al. 2018: of each graph its class, of each node its tag and neighbours."""
    files = take("tu", "muhanzhang/pytorch_DGCNN", "50f504131ca66382f3f078ae98e59aa3ae35b795", lambda path: path.split("/")[0] in ("MUTAG", "PROTEINS", "NCI1"), 63,
                 "59f6bcb8de6e0a7a5c9214fa4fba4e28ca248d851ca036220eebe2d4d8afbe22", folder="tu-graphs", below="data/")
    for name in ("MUTAG", "PROTEINS", "NCI1"):
        lines = iter(files[f"{name}/{name}.txt"].decode().splitlines())
        classes, tags, around, sizes = [], [], [], []
        for _ in range(int(next(lines))):
            size, label = next(lines).split()
            first = len(tags)
            for _ in range(int(size)):
                tag, count, *others = next(lines).split()
                if len(others) != int(count):
                    raise FetchError(f"{name}: node {len(tags)} has {len(others)} neighbours and says {count}")
                tags.append(int(tag))
                around.append([first + int(j) for j in others])
            classes.append(label)
            sizes.append(int(size))
        fold = [-1] * len(sizes)  # a few graphs are tested by none
        for k in range(10):
            for i in files[f"{name}/10fold_idx/test_idx-{k + 1}.txt"].split():
                fold[int(i)] = k
        names, kinds = sorted(set(classes), key=int), sorted(set(tags))
        columns = {"graph_offsets": starts(sizes), "indptr": starts(map(len, around)), "indices": [j for others in around for j in others],
                   "label": [names.index(c) for c in classes], "class_names": names, "fold": fold}
        place = {tag: column for column, tag in enumerate(kinds)}
        write_graphs(name.lower(), columns, ([1.0] * len(tags), [place[tag] for tag in tags], list(range(len(tags) + 1)), (len(tags), len(kinds))), task="graph")


SETS = {"ct-covid": fetch_ct_covid, "tinyshakespeare": fetch_tinyshakespeare, "cora": fetch_cora, "tu": fetch_tu, "cmudict": fetch_cmudict}


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    names = list(SETS) if arguments == ["all"] else arguments
    unknown = [name for name in names if name not in SETS]
    if unknown:
        print(f"error: there is no data set '{unknown[0]}'; there are {', '.join(SETS)}, and all", file=sys.stderr)
        return 2
    try:
        for name in names:
            SETS[name]()
    except (FetchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was changed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
