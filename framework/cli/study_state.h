#pragma once

#include <span>
#include <string>
#include <vector>

#include "storage/study_folder.h"
#include "train/kind.h"

namespace attune {

struct TrialState {
  std::string name;   // its stem; of a waiting one its row, seed and fold
  std::string state;  // running, stopped, waiting, finished, diverged, damaged
  Index step = 0, n_steps = 0;
  std::string remark;
};

// What a study has come to, reading only. Which trials wait is known from the newest study.yaml.
struct StudyState {
  std::vector<TrialState> trials;  // unfinished ones first: they are what one looks for
  bool planned = false;            // study.yaml can be read

  Index count(std::string_view state) const;
  // "4 of 32 finished, 1 running, 27 waiting"; without a plan "4 finished, 1 running".
  std::string counts_text() const;
};

// files: reads every run file whole, says which are damaged, and whether what stopped can go on,
// which reads the data. heads: the same but for the data. names: by names alone, by which a file
// that is there is finished.
enum class Reading { files, heads, names };
StudyState state_of(const StudyFolder& folder, std::span<const Kind> kinds, Reading reading);

}  // namespace attune
