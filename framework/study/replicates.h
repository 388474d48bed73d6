#pragma once

#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stats/crossed.h"
#include "study/claim.h"
#include "study/row_runs.h"

namespace attune {

// The runs of a row, as far as they judge: the study's seeds, or those that confirm.
using RunsOf = std::function<const RowRuns&(const Row&)>;

// What an estimand's rows have, replicate by replicate.
class Replicates {
 public:
  // at: own_best chooses by the runs `chosen_by` gives; what is read are those of `judged_on`.
  Replicates(const Claim& claim, const RunsOf& chosen_by, const RunsOf& judged_on, bool same_runs);

  // Why nothing is computed: trials are missing, or have no such number. Empty where there is
  // something.
  const std::string& incomplete() const { return incomplete_; }
  const std::vector<std::string>& remarks() const { return remarks_; }

  // Replicates that count: with if_failed: drop those that did not diverge.
  const std::vector<std::size_t>& kept() const { return kept_; }
  const RowRuns::Replicate& at(std::size_t i) const { return all()[i]; }
  Index n_all() const { return static_cast<Index>(all().size()); }
  Index n_failed() const { return n_failed_; }
  bool failed(std::size_t i) const;
  std::string word() const;  // "seeds", "repeats"

  // What stands for a value that diverged, on either side.
  struct Fill {
    double of = NAN, against = NAN;
  };
  // The quantity at a replicate; NaN where it has none. Of a slope also that of cells first … end.
  double quantity(std::size_t i, const Fill& fill) const {
    return quantity(i, fill, 0, cells_.size());
  }
  double quantity(std::size_t i, const Fill& fill, std::size_t first, std::size_t end) const;
  std::size_t n_cells() const { return cells_.size(); }

  // One side of a cell: the mean over its rows.
  struct SideValues {
    std::vector<const Row*> rows;
    std::vector<const RowRuns*> runs;
    std::vector<RowRuns::Value> values;  // by replicate
  };
  const SideValues& of() const { return cells_.front().of; }
  const SideValues& against() const { return cells_.front().against; }  // empty where unpaired

  // The quantity by groups of examples (stats/crossed.h); none where it is none of examples, or
  // where a value is filled in.
  std::optional<CrossedValues> crossed() const;

 private:
  struct CellValues {
    double x = 0;
    SideValues of, against;
  };
  const std::vector<RowRuns::Replicate>& all() const {
    return cells_.front().of.runs.front()->replicates();
  }
  SideValues side(const Side& side, const RunsOf& chosen_by, const RunsOf& judged_on,
                  bool same_runs);
  template <class F>
  void each_side(const F& f) const;
  void find_missing();
  void keep();
  double scaled(double v, bool is_x) const;
  CrossedValues restricted(CrossedValues values, const RowRuns& runs) const;

  const Claim& claim_;
  const Estimand& estimand_;
  std::vector<CellValues> cells_;
  std::vector<std::size_t> kept_;
  Index n_failed_ = 0;
  std::string incomplete_;
  std::vector<std::string> remarks_;
};

}  // namespace attune
