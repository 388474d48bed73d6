#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/study_folder.h"
#include "study/row_runs.h"
#include "study/study_config.h"

namespace attune {

// The trials of a study and what stands of them in its folder, row by row. A finished trial is
// known by its place and by its identity, so that data need not be opened.
class Results {
 public:
  Results(const Study& study, const std::vector<Trial>& trials, const StudyFolder& folder);

  // Of a row of the study; without trials where none is planned for it.
  const RowRuns& of(const Row& row) const;
  Index n_trials() const { return n_trials_; }
  Index n_finished() const { return n_finished_; }
  Index n_diverged() const;
  // Builds that made the finished ones.
  const std::map<std::string, Index>& builds() const { return builds_; }

 private:
  std::map<std::string, RowRuns> rows_;
  Index n_trials_ = 0, n_finished_ = 0;
  std::map<std::string, Index> builds_;
};

}  // namespace attune
