"""Downloads a public data set, checks every byte of it, and imports it to data/<name>.h5.

scripts/fetch_data ct-covid          746 CT slices of 332 papers (349 COVID, 397 not) to data/ct_covid.h5
scripts/fetch_data tinyshakespeare   1,115,394 characters of Shakespeare to data/tinyshakespeare.h5
scripts/fetch_data cmudict           124,926 English words and their phonemes to data/cmudict.h5
scripts/fetch_data all               every one of them

ATTUNE_DATA_MIRROR=DIR takes the sources from DIR/<name> instead of the network. data/README.md says
where the data comes from and under which licence.
"""
import csv
import hashlib
import http.client
import io
import os
import pathlib
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


def take(name, repository, commit, keep, count, expected, single=None):
    """The checked files of a source, from the mirror when there is one; `single` is the path of the only one."""
    mirror = os.environ.get("ATTUNE_DATA_MIRROR")
    if mirror:
        folder = pathlib.Path(mirror) / name
        files, where = from_folder(folder, keep), str(folder)
    else:
        files = one_from_github(repository, commit, single) if single else from_github(repository, commit, keep)
        where = f"commit {commit} of github.com/{repository}"
    check(name, files, count, expected, where)
    return files


def attune(*arguments):
    result = subprocess.run([str(ROOT / "scripts" / "attune"), *map(str, arguments)])
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


SETS = {"ct-covid": fetch_ct_covid, "tinyshakespeare": fetch_tinyshakespeare, "cmudict": fetch_cmudict}


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
