#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "storage/run_file.h"

namespace attune {

// Where the run files of two runs of one trial differ.

// One value of an array, the first that differs there.
struct ValueDifference {
  std::string where;          // "/metrics/train/loss[step=12]", "/weights/head.bias[3]"
  std::optional<Index> step;  // none where the array has no steps: finals, predictions, names
  std::string recorded, repeated;
};

struct RunDifference {
  // Of /hashes, which hash all parameters: the last step at which they are the same, and the first
  // at which they are not. Either may be missing.
  std::optional<Index> same_at, differs_at;
  // One an array, by step (those without one last); at one step parameters first.
  std::vector<ValueDifference> values;
  // Of the earliest set in /weights that differs: its tensors.
  Index weights_step = 0, n_tensors = 0, n_tensors_differ = 0;

  bool none() const { return !differs_at && values.empty(); }
};

// Bit for bit, NaN included; build_id and what study and row are called do not count.
RunDifference compare_runs(const RunFile& recorded, const RunFile& repeated);

// What may be the reason, from the metadata of both runs (null where a run file travels alone) and
// the builds that the files name.
struct DifferenceCause {
  enum class Kind {
    build,    // other sources or flags
    machine,  // another instruction set, processor or library
    unknown,  // no metadata says on which machine it was made
    changed,  // the file is not what was written
    real,     // one build, one machine type
  };
  Kind kind = Kind::unknown;
  std::string text;  // one or two whole sentences
};
const char* name_of(DifferenceCause::Kind kind);
DifferenceCause cause_of_difference(const RunHead& recorded, const Json& recorded_metadata,
                                    const RunHead& repeated, const Json& repeated_metadata);

}  // namespace attune
