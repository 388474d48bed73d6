#pragma once

#include <string>
#include <utility>
#include <vector>

#include "stats/interval.h"
#include "study/outcome.h"

namespace attune {

// A text table: columns padded to their widest cell, two spaces apart, widths counted in terminal
// columns.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string head;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Cells that are missing at the end stay empty.
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // Lines that end in no space. A last left-aligned column that does not fit `width` is wrapped;
  // where that is not enough, so are the widest left-aligned ones, words that are too long cut.
  std::string text(std::size_t width = 80) const;

 private:
  static constexpr std::size_t kGap = 2;
  std::vector<std::size_t> widths(std::size_t width) const;  // of the columns

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A few digits for people: "0.9531", "1.2e-05", "200", "nan".
std::string short_number(double value);

// A mean with two digits of its uncertainty: "0.953 [0.931, 0.975]", or "0.953" for n = 1.
struct EstimateText {
  std::string mean, interval;
};
EstimateText estimate_text(double mean, const std::optional<Interval>& interval);

// ▁▂▃▄▅▆▇█ over the finite values, at most `columns` of them by means of neighbours; a gap is a
// space. A constant series is flat at half height.
std::string sparkline(const std::vector<double>& values, std::size_t columns);

// The table that closes a run: a line a row, n seeds, and of each metric the mean and its 95 %
// interval; below the width, further metrics follow in a block of their own. A row of which trials
// are missing says so in place of numbers; which diverged stands below. One fold alone is labelled.
// All rows have the same folds.
std::string closing_table(const std::vector<RowOutcome>& rows,
                          const std::vector<std::string>& metrics, std::size_t width = 80);

// A line a row, seed and fold.
std::string fold_table(const std::vector<RowOutcome>& rows, const std::vector<std::string>& metrics,
                       std::size_t width = 80);

}  // namespace attune
