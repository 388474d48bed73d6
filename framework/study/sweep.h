#pragma once

#include <span>

#include "study/study_config.h"

namespace attune {

// `schema: attune/sweep@1`: which configs to try. Words are W&B's and Optuna's.
//   base         what every point is laid over (study_file.h)
//   parameters, zip  the values to be tried (points.h)
//   method       grid: all of them, the last parameter fastest
//                random: search_seed's draws
//                sobol: Sobol's sequence, whose digits search_seed flips; 64 points begin with 32
//   run_cap      configs in total, however often the command is run; a grid's default is all
//   enqueue      [{key: value}]: tried first; keys that are not given take the base's value
// A point that is a config of a former one, or that the config check refuses, is left out; how many
// these were stands in the notes. Rows are named by their values (point_name()). Errors are
// InvalidConfig, all at once.
Study load_sweep(const LoadOptions& load, std::span<const Kind> kinds);

}  // namespace attune
