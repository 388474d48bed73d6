#pragma once

#include <span>

#include "storage/run_file.h"
#include "study/study_config.h"

namespace attune {

// The study that a run file is of, as the text of a YAML file: its own config and seed.
std::string recorded_study_text(const RunFile& run);

// That study, bound again. Its config was accepted once, and stands in the file twice, as text and
// as attributes: a text that is refused now, or says something else than they, is a DamagedError.
Study recorded_study(const RunFile& run, std::span<const Kind> kinds);

// What load_study() needs to run it again, for its own seed and fold: the folders of the dataset
// and of the weights that it began with stand in the metadata beside it. DamagedError as above, and
// for metadata that cannot be read.
LoadOptions recorded_load(const RunFile& run, std::span<const Kind> kinds);

}  // namespace attune
