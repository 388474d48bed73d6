#pragma once

#include <functional>
#include <span>
#include <string>

#include "study/row.h"
#include "study/row_runs.h"

namespace attune {

// What a row's `select` prefers; empty where its kind has none.
struct SelectRule {
  std::string by;  // "val/loss"
  bool least = true;
};
SelectRule select_rule(const Row& row);

// Of several rows the one with the best mean of select.by over its replicates; the first of equals.
// A row of which a replicate diverged loses against those without. Null while trials are missing,
// or where no row has the metric; then `why` says which.
const Row* best_row(std::span<const Row* const> rows,
                    const std::function<const RowRuns&(const Row&)>& runs_of, std::string& why);

}  // namespace attune
