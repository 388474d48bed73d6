#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "storage/trial.h"
#include "study/row.h"
#include "study/said_of_study.h"

namespace attune {

// A study's file, read, checked and bound.
struct Study {
  // The reference first, then the baselines of an experiment or the levels of an ablation; of a
  // sweep its points, without a reference. Names differ.
  std::vector<Row> rows;
  std::vector<Diagnostic> notes;
  std::string text = {};                 // of an ablation and a sweep, what yaml() is
  std::vector<std::string> varied = {};  // keys that the points of a sweep give, in order
  // `claims`, `report` and `registered` as they stand in the file; claims are resolved by
  // study/claim.h, which needs every row.
  SaidOfStudy said = {};

  const Row& reference() const { return rows.front(); }
  const Row* find(std::string_view row) const;
  // What every trial has: its row. DataError when the study has no such row.
  const Row& row_of(const Trial& trial) const;
  const std::string& name() const { return reference().options->name; }
  // The resolved config, which reads back to the same leaves.
  std::string yaml() const {
    return (text.empty() ? dump(*reference().fields) : text) + said.text();
  }
};

// Throws InvalidConfig with all that is wrong.
Study load_study(const LoadOptions& load, std::span<const Kind> kinds);

// The trials of an experiment: rows × seeds × folds, in this order. Opens the data, whose hash is
// part of a trial's identity; InvalidConfig with what is wrong with it in any row, each at the key
// that could mend it.
std::vector<Trial> plan_trials(const Study& study);

// The same without opening the data: neither its hash nor that of weights is known.
std::vector<Trial> plan_places(const Study& study);

// What differs between two configs, a line a key: "optim.lr: 0.001 then, 0.003 now".
std::vector<std::string> changed_keys(const std::vector<ConfigLeaf>& before,
                                      const std::vector<ConfigLeaf>& now);

}  // namespace attune
