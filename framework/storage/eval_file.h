#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/run_content.h"

namespace attune {

// A metric of an evaluation with its interval over groups, where there is one.
struct EvalMetric {
  FinalMetric metric;  // split "eval"
  std::optional<double> low, high;
};

// What `attune eval` found.
struct EvalContent {
  std::string study, row, identity;      // of the run
  std::string run_sha256, data_sha256;   // of the run file's bytes, and of the data's content
  std::string parameters;                // which of the run's sets: "chosen"
  Index step = 0;                        // of these parameters
  std::vector<std::string> class_names;  // in the order of the outputs
  Index n_groups = 0;
  std::vector<EvalMetric> metrics;
  Predictions predictions;
};

// The file of it, `attune.eval@1`, which opens wherever a run file does:
//   /                   Conventions, schema, name, row, identity, run_sha256, data_sha256,
//                       build_id, parameters, step, class_names
//   /final              eval_<metric>, float64 scalars with split, metric, units, goal, and, where
//                       there is an interval, interval_low, interval_high, interval_level (.95),
//                       interval_over ("groups"), n_groups
//   /predictions/eval   example (dimension: the row of the data), group, target, output
//                       [example, size_<n>]; target and the columns are places in class_names
// Its bytes are a function of content and build_id.
std::string eval_file_bytes(const EvalContent& content, std::string_view build_id);

// Of such a file to be written (h5/output.h): ConfigError where it may not be, or is something else
// than an evaluation already.
void check_eval_output(const std::string& path, const std::vector<std::string>& inputs);

// DataError when there is no such file or it is something else; DamagedError when it is an
// evaluation no longer whole: something is missing, cannot be read, or does not fit the rest.
EvalContent read_eval_file(const std::string& path);

}  // namespace attune
