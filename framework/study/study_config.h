#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "storage/trial.h"
#include "train/kind.h"

namespace attune {

// The root of a study's file: what every kind has, and the keys of the kind.
class StudyOptions {
 public:
  explicit StudyOptions(const Kind& kind);

  std::string name, doc;
  std::vector<Index> seeds = {0, 1, 2};

  void fields(FieldList& f);
  const Kind& kind() const { return *kind_; }
  const KindOptions& options() const { return *options_; }

 private:
  const Kind* kind_;
  std::unique_ptr<KindOptions> options_;
};

// A study's file, read, checked and bound.
struct Study {
  std::unique_ptr<StudyOptions> options;
  std::unique_ptr<FieldList> fields;  // of *options
  Binding binding;                    // every leaf with its origin
  std::vector<Diagnostic> notes;

  // The resolved config, which reads back to the same leaves.
  std::string yaml() const { return dump(*fields); }
};

// Throws InvalidConfig with all that is wrong.
Study load_study(const LoadOptions& load, std::span<const Kind> kinds);

// The trials of an experiment: one row, a trial a seed, in the order of the seeds. Opens the data,
// whose hash is part of a trial's identity; DataError when it cannot be had.
std::vector<Trial> plan_trials(const Study& study);

// What differs between two configs, a line a key: "optim.lr: 0.001 then, 0.003 now".
std::vector<std::string> changed_keys(const std::vector<ConfigLeaf>& before,
                                      const std::vector<ConfigLeaf>& now);

}  // namespace attune
