#include "study/replicates.h"

#include <algorithm>

#include "base/text.h"
#include "stats/replicates.h"
#include "study/best_row.h"

namespace attune {
namespace {

using Of = Estimand::Kind;
using State = RowRuns::Value::State;

void add(RowRuns::Value& sum, const RowRuns::Value& part) {
  // The worst state of the rows is that of their mean.
  sum.state = std::max(sum.state, part.state);
  sum.value += part.value;
  sum.all.insert(sum.all.end(), part.all.begin(), part.all.end());
  for (std::size_t k = 0; k < std::min(sum.by_fold.size(), part.by_fold.size()); ++k)
    sum.by_fold[k] = sum.by_fold[k] && part.by_fold[k]
                         ? std::optional(*sum.by_fold[k] + *part.by_fold[k])
                         : std::nullopt;
}

// A side's value at a replicate.
double value_at(const Replicates::SideValues& side, std::size_t i, double fill) {
  return side.values[i].state == State::diverged ? fill : side.values[i].value;
}

}  // namespace

Replicates::Replicates(const Claim& claim, const RunsOf& chosen_by, const RunsOf& judged_on,
                       bool same_runs)
    : claim_(claim), estimand_(claim.estimand) {
  for (const Cell& cell : estimand_.cells) {
    SideValues of = side(cell.of, chosen_by, judged_on, same_runs);
    cells_.push_back(
        {cell.x, std::move(of),
         estimand_.paired ? side(cell.against, chosen_by, judged_on, same_runs) : SideValues()});
  }
  if (incomplete_.empty()) find_missing();
  if (incomplete_.empty()) keep();
}

Replicates::SideValues Replicates::side(const Side& side, const RunsOf& chosen_by,
                                        const RunsOf& judged_on, bool same_runs) {
  SideValues result;
  result.rows = side.rows;
  if (estimand_.own_best && incomplete_.empty()) {
    std::string why;
    const Row* best = best_row(side.rows, chosen_by, why);
    if (!best) {
      incomplete_ = why;
      return result;
    }
    result.rows = {best};
    if (side.rows.size() > 1)
      remarks_.push_back(fmt::format("{} of {} rows, chosen by {}{}", best->name, side.rows.size(),
                                     select_rule(*best).by,
                                     same_runs ? " on the seeds that judge" : " on other seeds"));
  }
  for (const Row* row : result.rows) {
    const RowRuns& runs = judged_on(*row);
    result.runs.push_back(&runs);
    const std::vector<RowRuns::Value> values = runs.values(estimand_.scalar);
    if (result.values.empty()) {
      result.values = values;
      continue;
    }
    for (std::size_t i = 0; i < std::min(values.size(), result.values.size()); ++i)
      add(result.values[i], values[i]);
  }
  for (RowRuns::Value& value : result.values)
    value.value /= static_cast<double>(result.rows.size());
  return result;
}

template <class F>
void Replicates::each_side(const F& f) const {
  for (const CellValues& cell : cells_) {
    f(cell.of);
    if (estimand_.paired) f(cell.against);
  }
}

void Replicates::find_missing() {
  Index missing = 0, trials = 0;
  std::string absent;
  each_side([&](const SideValues& side) {
    for (const RowRuns* runs : side.runs) {
      missing += runs->n_missing();
      for (const RowRuns::Replicate& r : runs->replicates()) trials += r.n_trials;
    }
    for (std::size_t i = 0; i < side.values.size(); ++i)
      if (side.values[i].state == State::absent && absent.empty())
        absent = fmt::format("{} of {} has no {}", side.runs.front()->replicates()[i].name(),
                             side.rows.front()->name, estimand_.scalar.text);
  });
  if (trials == 0 || missing > 0) {
    incomplete_ = fmt::format("{} of {} trials are missing", missing, trials);
  } else if (!absent.empty()) {
    incomplete_ = absent;
  }
  each_side([&](const SideValues& side) {
    for (const RowRuns* runs : side.runs)
      if (!std::equal(runs->replicates().begin(), runs->replicates().end(), all().begin(),
                      all().end(),
                      [](const auto& a, const auto& b) {
                        return a.seed == b.seed && a.repeat == b.repeat;
                      }) &&
          incomplete_.empty())
        incomplete_ = "its rows do not have the same seeds";
  });
}

bool Replicates::failed(std::size_t i) const {
  bool failed = false;
  each_side(
      [&](const SideValues& side) { failed = failed || side.values[i].state == State::diverged; });
  return failed;
}

void Replicates::keep() {
  for (std::size_t i = 0; i < all().size(); ++i) {
    n_failed_ += failed(i);
    if (failed(i) && claim_.if_failed == Claim::Failed::drop) continue;
    kept_.push_back(i);
  }
  if (n_failed_ > 0)
    remarks_.push_back(fmt::format("{} of {} {} diverged{}", n_failed_, all().size(), word(),
                                   claim_.if_failed == Claim::Failed::drop ? " and are dropped"
                                   : claim_.if_failed == Claim::Failed::value
                                       ? fmt::format(" and count as {}", claim_.failed_value)
                                       : ""));
}

std::string Replicates::word() const { return all().front().repeat ? "repeats" : "seeds"; }

double Replicates::scaled(double v, bool is_x) const {
  using Scale = Estimand::Scale;
  const bool logged =
      estimand_.scale == Scale::log_log || (is_x && estimand_.scale == Scale::linear_log);
  return logged ? std::log(v) : v;
}

// The quantity at a replicate over some of the cells; NaN where it has none.
double Replicates::quantity(std::size_t i, const Fill& fill, std::size_t first,
                            std::size_t end) const {
  const auto at = [&](const CellValues& cell) {
    const double a = value_at(cell.of, i, fill.of);
    if (!estimand_.paired) return a;
    const double b = value_at(cell.against, i, fill.against);
    return estimand_.kind == Of::ratio ? a / b : a - b;
  };
  if (estimand_.kind != Of::slope && estimand_.kind != Of::spearman) return at(cells_.front());
  std::vector<double> x, y;
  for (std::size_t c = first; c < end; ++c) {
    const bool ranks = estimand_.kind == Of::spearman;
    x.push_back(ranks ? cells_[c].x : scaled(cells_[c].x, true));
    y.push_back(ranks ? at(cells_[c]) : scaled(at(cells_[c]), false));
    if (!std::isfinite(y.back())) return NAN;
  }
  if (estimand_.kind == Of::spearman) return rank_correlation(x, y).value_or(0);
  return slope(x, y);
}

std::optional<CrossedValues> Replicates::crossed() const {
  const bool linear = estimand_.kind == Of::mean || estimand_.kind == Of::difference;
  const bool filled = n_failed_ > 0 && claim_.if_failed != Claim::Failed::drop;
  if (!linear || filled || claim_.over != Claim::Over::all_there_is) return std::nullopt;
  std::vector<Weighted> parts;
  const CellValues& cell = cells_.front();
  for (const auto& [side, sign] : {std::pair{&cell.of, 1.0}, {&cell.against, -1.0}})
    for (const RowRuns* runs : side->runs) {
      auto values = runs->crossed(estimand_.scalar);
      if (!values) return std::nullopt;
      parts.push_back(
          {sign / static_cast<double>(side->runs.size()), restricted(std::move(*values), *runs)});
      if (parts.back().values.n_groups != parts.front().values.n_groups) return std::nullopt;
    }
  return sum(parts);
}

// The seeds that count, of those that a row has values of.
CrossedValues Replicates::restricted(CrossedValues values, const RowRuns& runs) const {
  std::vector<std::size_t> places;
  std::size_t sound = 0;
  for (std::size_t i = 0; i < runs.replicates().size(); ++i) {
    if (runs.replicates()[i].diverged()) continue;
    if (std::find(kept_.begin(), kept_.end(), i) != kept_.end()) places.push_back(sound);
    ++sound;
  }
  if (places.size() == values.of_seed.size()) return values;
  CrossedValues some{0, values.n_groups};
  for (const std::size_t place : places) {
    some.of_seed.push_back(values.of_seed[place]);
    if (!values.z.empty()) some.z.push_back(values.z[place]);
    some.value += values.of_seed[place] / static_cast<double>(places.size());
  }
  return some;
}

}  // namespace attune
