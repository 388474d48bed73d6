#!/usr/bin/env python3
"""Opens every group of run files, and of what `attune eval -o` writes, in every reader that people use, and compares what the readers see.

    python3 -m venv /tmp/readers && /tmp/readers/bin/pip install numpy h5py xarray netCDF4 h5netcdf
    /tmp/readers/bin/python scripts/check_run_file.py results/*/trials/*.h5

h5dump and ncdump are asked too where they are installed. Exit 1 when a reader fails or two disagree.
"""
import shutil
import subprocess
import sys
import warnings

import h5py
import netCDF4
import numpy as np
import xarray

# A dimension without coordinates is no variable for netCDF: its name begins like this.
NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"


def plain(value):
    """A value as nested lists of Python's own types; bytes as text, NaN as the text 'nan'."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return "nan" if isinstance(value, float) and value != value else value


def one_or_list(value):
    """Readers disagree on whether a list of one is a list, and on how an empty one looks: compared without that."""
    value = plain(value)
    return value if isinstance(value, list) and len(value) > 1 else [value] if not isinstance(value, list) else value


class Disagreement(Exception):
    pass


def expect(condition, *message):
    if not condition:
        raise Disagreement(" ".join(map(str, message)))


def hidden(attribute):
    return attribute in ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST") or attribute.startswith("_")


def truth(path):
    """h5py's view: {group: ({attribute: value}, {variable: (dtype, values, {attribute: value})})}"""
    groups = {}

    def add(name, node):
        attributes = {k: one_or_list(v) for k, v in node.attrs.items() if not hidden(k)}
        if isinstance(node, h5py.Group):
            groups[name] = (attributes, {})
        elif not node.attrs.get("NAME", b"").startswith(NO_VARIABLE):
            parent, _, leaf = name.rpartition("/")
            groups[parent][1][leaf] = (node.dtype, plain(node[()]), attributes)
            for axis, dimension in enumerate(node.dims):
                scale = node.attrs.get("CLASS") == b"DIMENSION_SCALE"
                expect(scale or len(dimension) == 1, name, "axis", axis, "has no dimension scale")

    with h5py.File(path) as file:
        add("", file)
        file.visititems(add)
    return groups


def check_netcdf4(path, groups):
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        for name, (attributes, variables) in groups.items():
            group = file[name] if name else file
            expect(set(group.variables) == set(variables), name, "variables", set(group.variables) ^ set(variables))
            expect(set(group.ncattrs()) == set(attributes), name, "attributes", set(group.ncattrs()) ^ set(attributes))
            for key, value in attributes.items():
                expect(one_or_list(group.getncattr(key)) == value, name, key, group.getncattr(key), "is not", value)
            for key, (_, values, _) in variables.items():
                seen = plain(group[key][...])
                expect(one_or_list(seen) == one_or_list(values), name, key, seen, "is not", values)


def check_xarray(path, groups, engine):
    for name, (attributes, variables) in groups.items():
        with xarray.open_dataset(path, engine=engine, group=name or None, decode_cf=False) as dataset:
            expect(set(dataset.variables) == set(variables), name, "variables", set(dataset.variables) ^ set(variables))
            expect(set(dataset.attrs) == set(attributes), name, "attributes", set(dataset.attrs) ^ set(attributes))
            for key, value in attributes.items():
                expect(one_or_list(dataset.attrs[key]) == value, name, key, dataset.attrs[key], "is not", value)
            for key, (_, values, _) in variables.items():
                expect(one_or_list(dataset[key].values) == one_or_list(values), name, key, "differs")
                expect(not any(str(d).startswith("phony") for d in dataset[key].dims), name, key, "has a nameless dimension")
        with xarray.open_dataset(path, engine=engine, group=name or None) as dataset:
            dataset.load()  # as people open it, decoded


def check_command(*command):
    if shutil.which(command[0]) is None:
        return "not installed"
    run = subprocess.run(command, capture_output=True, text=True)
    expect(run.returncode == 0 and not run.stderr.strip(), run.stderr[:300])
    return None


def main(paths):
    failures = 0
    warnings.simplefilter("error")  # duplicate dimension names and the like
    for path in paths:
        groups = truth(path)
        readers = {
            "netCDF4": lambda: check_netcdf4(path, groups),
            "xarray/netcdf4": lambda: check_xarray(path, groups, "netcdf4"),
            "xarray/h5netcdf": lambda: check_xarray(path, groups, "h5netcdf"),
            "h5dump": lambda: check_command("h5dump", path),
            "ncdump": lambda: check_command("ncdump", path),
        }
        n = sum(len(v) for _, v in groups.values())
        print(f"{path}: h5py sees {len(groups)} groups, {n} variables")
        for name, check in readers.items():
            try:
                note = check()
                print(f"  {name}: {note or 'agrees'}")
            except Exception as error:  # a reader may fail in any way
                failures += 1
                print(f"  {name}: {type(error).__name__}: {error}")
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
