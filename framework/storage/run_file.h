#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/run_content.h"
#include "storage/trial.h"

namespace attune {

// The run file, `attune.run@1`: what a finished trial leaves, readable in h5py, xarray (both
// engines), netCDF4, ncdump and h5dump as it is. Its bytes are a function of trial, content and
// build_id.
//
//   /                   Conventions, schema, name, row, kind, seed, fold, stop_step, repeat (-1:
//                       none), status, identity, data_sha256, init_sha256 (where weights were
//                       loaded), build_id, steps, class_names, token_names (where tokens have names
//                       that are no classes), width (of vectors), row_targets (1 where rows have
//                       targets, not examples), gray_mean and gray_sd (where images were normalised
//                       by those of the training split); more than 2000 names are one text, a list
//                       in JSON
//   /metrics/<split>    step, and one float64 series a metric with units, long_name, goal where
//   they
//                       are known
//   /final              <split>_<metric>, float64 scalars with split, metric, units, goal, how
//   /predictions/<split>  example (dimension), group, target, output [example, size_<n>], and
//                       position in the example where rows have targets; where answers are decoded
//                       sequence (dimension) and decoded [sequence, size_<n>]
//   /probes/<name>      the dimensions' coordinates, int64 labels beside them, and float64
//                       quantities over them; attribute comment
//   /weights            float32 by path name, attributes which and step; further sets in
//                       /weights/<which>
//   /config             resolved_yaml, and each leaf as an attribute: bool as int8, int64, float64,
//                       text or lists of these, null as the text "null"
//   /hashes             step, hash (uint64)
// Dimensions without coordinates are scales size_<n> of the root; an array with two axes of equal
// size has size_<n> and size_<n>_2, because xarray wants an array's dimensions to differ. A
// metric's or probe's NaN is stored as such.

std::string run_file_bytes(const Trial& trial, const RunContent& content,
                           std::string_view build_id);

// The cheap part, for tables over thousands of files.
struct RunHead {
  std::string name, row, kind, status, identity, data_sha256, init_sha256, build_id;
  Index seed = 0, steps = 0;
  std::optional<Index> fold, stop_step, repeat;
  std::vector<FinalMetric> final;
  std::vector<std::string> predictions;  // of which splits it keeps them
};

struct RunFile {
  std::string path;  // where it was read from
  RunHead head;
  Trial trial;  // its config in the order of the file, all of role result
  RunContent content;
};

// Of a file that a person names. DataError when there is no such file or it is something else;
// DamagedError when it is a run file no longer whole, or its config not the one of its identity.
RunFile read_run_file(const std::string& path);
// Of a study's own trial: what is no run file there is damaged, and can be trained again, which the
// DamagedError says.
RunHead read_run_head(const std::string& path);
// Of one split, alike; DamagedError when the file has none of it.
Predictions read_predictions(const std::string& path, const std::string& split);

// A split's series, and a probe, of a study's own trial. DamagedError alike.
MetricTable read_series(const std::string& path, const std::string& split);
ProbeTable read_probe(const std::string& path, const std::string& name);

// The parameters of any HDF5 file with /weights, also one written by h5py: float32 or float64,
// row-major, names as they stand or as nested groups ("encoder/norm/gain" reads as
// "encoder.norm.gain"). `which` picks a set of a run file
// ("initial"); empty takes the first. DataError says what does not fit.
WeightSet read_weights(const std::string& path, std::string_view which = "");

}  // namespace attune
