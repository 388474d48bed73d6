#pragma once

#include <span>
#include <vector>

#include "storage/study_folder.h"
#include "study/study_config.h"

namespace attune {

// A study.yaml of a study's folder. DamagedError when it cannot be read.
Study read_frozen(const std::string& path, std::span<const Kind> kinds);

// What stands in a study's folder must be of the study that is to be run there, or two would be
// mixed: the newest frozen study.yaml, finished trials, and those that were interrupted. Compared
// are the configs of rows that both have, and what every trial was made of beside it (the data's
// content, the weights that it began with). Seeds, folds and rows may come and go.
//
// ChangedError with what differs, key by key, when it is of another study; DamagedError when what
// stands there cannot be read.
void require_same_study(const Study& study, const std::vector<Trial>& trials,
                        const StudyFolder& folder, std::span<const Kind> kinds);

// The trials of a study of which nothing stands in its folder, neither finished nor begun, as
// plan_places() has them. Reads file names, and heads of trials whose places are not the study's.
std::vector<Trial> waiting_trials(const Study& study, const StudyFolder& folder);

}  // namespace attune
