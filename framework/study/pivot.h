#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/outcome.h"
#include "study/results.h"

namespace attune {

// report: {rows: KEY, columns: KEY, cells: METRIC}: a metric by the values of two keys (or
// factors).
struct Pivot {
  std::string rows, columns, cells;  // columns may be empty
};

// What the command line asks for, or else the study's file. ConfigError for keys that no row has.
std::optional<Pivot> pivot_asked(const Study& study, const std::optional<std::string>& rows,
                                 const std::optional<std::string>& columns,
                                 const std::optional<std::string>& cells);

// Where several rows of the study fall into one cell, it has the seeds' means over them.
struct PivotTable {
  Pivot of;
  std::vector<std::string> rows, columns;  // values, in the order of the study
  std::vector<std::vector<std::optional<MeanEstimate>>> cells;
  std::vector<std::string> averaged;  // keys that differ within a cell
};
PivotTable pivot_table(const Study& study, const Results& results, const Pivot& pivot);

}  // namespace attune
