#include "study/verdict.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>

#include "base/text.h"
#include "stats/replicates.h"
#include "study/best_row.h"
#include "study/outcome.h"

namespace attune {
namespace {

using Kind = Estimand::Kind;
using State = RowRuns::Value::State;

// One side of a cell: what its replicates have, as the mean over its rows.
struct SideValues {
  std::vector<const Row*> rows;
  std::vector<const RowRuns*> runs;
  std::vector<RowRuns::Value> values;  // by replicate
};

struct CellValues {
  double x = 0;
  SideValues of, against;
};

// What stands for a value of a replicate that failed.
struct Fill {
  double of = NAN, against = NAN;
};

double t_quantile(double alpha, double df) {
  const boost::math::students_t distribution(df);
  return boost::math::quantile(boost::math::complement(distribution, alpha / 2));
}

// Two-sided p of an estimate of this variance where the truth is 0.
double p_of_zero(double value, double variance, double df) {
  if (!(variance > 0)) return value == 0 ? 1 : 0;
  const boost::math::students_t distribution(df);
  return 2 * boost::math::cdf(
                 boost::math::complement(distribution, std::abs(value) / std::sqrt(variance)));
}

class Judge {
 public:
  Judge(const Claim& claim, const JudgeOptions& options)
      : claim_(claim), estimand_(claim.estimand), options_(options) {
    judgement_.claim = &claim;
    judgement_.level = 1 - options.alpha / static_cast<double>(std::max<Index>(options.family, 1));
  }

  Judgement result() {
    for (const Cell& cell : estimand_.cells) {
      const SideValues of = side(cell.of);
      cells_.push_back({cell.x, of, estimand_.paired ? side(cell.against) : SideValues()});
    }
    if (!decided_) find_missing();
    if (decided_) return judgement_;
    keep_replicates();
    if (claim_.kind() == Claim::Kind::exact) {
      judge_exact();
    } else {
      judge_replicates();
    }
    return judgement_;
  }

 private:
  const std::vector<RowRuns::Replicate>& replicates() const {
    return cells_.front().of.runs.front()->replicates();
  }

  void settle(Verdict verdict, std::string reason) {
    judgement_.verdict = verdict;
    judgement_.reason = std::move(reason);
    decided_ = true;
  }

  SideValues side(const Side& side) {
    SideValues result;
    result.rows = side.rows;
    if (estimand_.own_best && !decided_) {
      std::string why;
      const Row* best = best_row(side.rows, options_.chosen_by, why);
      if (!best) {
        settle(Verdict::incomplete, why);
        return result;
      }
      result.rows = {best};
      if (side.rows.size() > 1)
        judgement_.remarks.push_back(fmt::format(
            "{} of {} rows, chosen by {}{}", best->name, side.rows.size(), select_rule(*best).by,
            options_.same_runs ? " on the seeds that judge" : " on other seeds"));
    }
    for (const Row* row : result.rows) {
      const RowRuns& runs = options_.judged_on(*row);
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

  static void add(RowRuns::Value& sum, const RowRuns::Value& part) {
    // The worst state of the rows is that of their mean.
    sum.state = std::max(sum.state, part.state);
    sum.value += part.value;
    sum.all.insert(sum.all.end(), part.all.begin(), part.all.end());
    for (std::size_t k = 0; k < std::min(sum.by_fold.size(), part.by_fold.size()); ++k)
      sum.by_fold[k] = sum.by_fold[k] && part.by_fold[k]
                           ? std::optional(*sum.by_fold[k] + *part.by_fold[k])
                           : std::nullopt;
  }

  template <class F>
  void each_side(const F& f) const {
    for (const CellValues& cell : cells_) {
      f(cell.of);
      if (estimand_.paired) f(cell.against);
    }
  }

  void find_missing() {
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
      settle(Verdict::incomplete, fmt::format("{} of {} trials are missing", missing, trials));
    } else if (!absent.empty()) {
      settle(Verdict::incomplete, absent);
    }
    each_side([&](const SideValues& side) {
      for (const RowRuns* runs : side.runs)
        if (!std::equal(runs->replicates().begin(), runs->replicates().end(), replicates().begin(),
                        replicates().end(),
                        [](const auto& a, const auto& b) {
                          return a.seed == b.seed && a.repeat == b.repeat;
                        }) &&
            !decided_)
          settle(Verdict::incomplete, "its rows do not have the same seeds");
    });
  }

  bool failed(std::size_t i) const {
    bool failed = false;
    each_side([&](const SideValues& side) {
      failed = failed || side.values[i].state == State::diverged;
    });
    return failed;
  }

  // Which replicates count: all, or with if_failed: drop those that did not fail.
  void keep_replicates() {
    for (std::size_t i = 0; i < replicates().size(); ++i) {
      n_failed_ += failed(i);
      if (failed(i) && claim_.if_failed == Claim::Failed::drop) continue;
      kept_.push_back(i);
    }
    if (n_failed_ > 0)
      judgement_.remarks.push_back(
          fmt::format("{} of {} {} diverged{}", n_failed_, replicates().size(), replicate_word(),
                      claim_.if_failed == Claim::Failed::drop ? " and are dropped"
                      : claim_.if_failed == Claim::Failed::value
                          ? fmt::format(" and count as {}", claim_.failed_value)
                          : ""));
  }

  std::string replicate_word() const { return replicates().front().repeat ? "repeats" : "seeds"; }

  // A side's value at a replicate.
  double value(const SideValues& side, std::size_t i, double fill) const {
    return side.values[i].state == State::diverged ? fill : side.values[i].value;
  }

  double scaled(double v, bool is_x) const {
    using Scale = Estimand::Scale;
    const bool logged =
        estimand_.scale == Scale::log_log || (is_x && estimand_.scale == Scale::linear_log);
    return logged ? std::log(v) : v;
  }

  // The quantity at a replicate over some of the cells; NaN where it has none.
  double quantity(std::size_t i, const Fill& fill, std::size_t first, std::size_t end) const {
    const auto at = [&](const CellValues& cell) {
      const double a = value(cell.of, i, fill.of);
      if (!estimand_.paired) return a;
      const double b = value(cell.against, i, fill.against);
      return estimand_.kind == Kind::ratio ? a / b : a - b;
    };
    if (estimand_.kind != Kind::slope && estimand_.kind != Kind::spearman)
      return at(cells_.front());
    std::vector<double> x, y;
    for (std::size_t c = first; c < end; ++c) {
      const bool ranks = estimand_.kind == Kind::spearman;
      x.push_back(ranks ? cells_[c].x : scaled(cells_[c].x, true));
      y.push_back(ranks ? at(cells_[c]) : scaled(at(cells_[c]), false));
      if (!std::isfinite(y.back())) return NAN;
    }
    if (estimand_.kind == Kind::spearman) return rank_correlation(x, y).value_or(0);
    return slope(x, y);
  }

  std::vector<double> quantities(const Fill& fill) const {
    std::vector<double> values;
    for (const std::size_t i : kept_) values.push_back(quantity(i, fill, 0, cells_.size()));
    return values;
  }

  void judge_exact() {
    const Region& region = claim_.expect;
    const bool extreme = estimand_.kind == Kind::max || estimand_.kind == Kind::min;
    std::optional<double> worst;
    judgement_.over = "every replicate";
    for (const std::size_t i : kept_) {
      if (failed(i)) return settle(Verdict::undecided, replicates()[i].name() + " diverged");
      std::vector<double> all = {quantity(i, {}, 0, cells_.size())};
      if (extreme) all = cells_.front().of.values[i].all;
      judgement_.n += 1;
      judgement_.seeds.push_back(replicates()[i].seed);
      for (const double v : all) {
        if (!worst || (estimand_.kind == Kind::min ? v < *worst : v > *worst)) worst = v;
        // Of NaN nothing holds.
        if (!region.inside(v, v)) {
          judgement_.estimate = v;
          return settle(Verdict::contradicted,
                        fmt::format("{} of {} has {}", replicates()[i].name(),
                                    cells_.front().of.rows.front()->name, v));
        }
      }
    }
    judgement_.estimate = worst;
    settle(Verdict::supported, "");
  }

  // Verdict of a region and an interval.
  Verdict verdict_of(const Interval& interval) const {
    if (claim_.expect.inside(interval.low, interval.high)) return Verdict::supported;
    if (claim_.expect.outside(interval.low, interval.high)) return Verdict::contradicted;
    return Verdict::undecided;
  }

  void judge_replicates() {
    judgement_.n = static_cast<Index>(kept_.size());
    for (const std::size_t i : kept_) judgement_.seeds.push_back(replicates()[i].seed);
    remark_data();
    const bool imputes = n_failed_ > 0 && claim_.if_failed != Claim::Failed::drop;
    if (imputes && claim_.if_failed == Claim::Failed::undecided) return judge_between_bounds();
    const double v = imputes ? claim_.failed_value : NAN;
    judge_filled({v, v});
  }

  // Where a metric is bounded a verdict that holds with the best and the worst value for what
  // failed stands (Horowitz & Manski 2000).
  void judge_between_bounds() {
    const auto bounds = bounds_of(estimand_.scalar);
    const std::string reason =
        fmt::format("{} of {} {} diverged, and if_failed says nothing of them", n_failed_,
                    replicates().size(), replicate_word());
    if (!bounds || estimand_.kind == Kind::ratio) return settle(Verdict::undecided, reason);
    const auto [low, high] = *bounds;
    const Judgement before = judgement_;
    judge_filled({low, high});
    const Judgement worst = std::exchange(judgement_, before);
    judge_filled({high, low});
    const Judgement best = std::exchange(judgement_, before);
    const bool stands = worst.verdict == best.verdict && worst.verdict != Verdict::undecided;
    if (stands) {
      judgement_ = worst;
      if (worst.interval && best.interval)
        judgement_.interval = {std::min(worst.interval->low, best.interval->low),
                               std::max(worst.interval->high, best.interval->high)};
      if (worst.interval95 && best.interval95)
        judgement_.interval95 = {std::min(worst.interval95->low, best.interval95->low),
                                 std::max(worst.interval95->high, best.interval95->high)};
      judgement_.estimate.reset();
      judgement_.remarks.push_back("holds with the best and the worst value for them");
      return;
    }
    settle(Verdict::undecided, reason);
  }

  void judge_filled(const Fill& fill) {
    judgement_.values = quantities(fill);
    for (std::size_t k = 0; k < kept_.size(); ++k)
      if (!std::isfinite(judgement_.values[k]) ||
          (estimand_.kind == Kind::ratio && !(judgement_.values[k] > 0)))
        return settle(
            Verdict::undecided,
            fmt::format("{} has no {}: its values must be positive", replicates()[kept_[k]].name(),
                        estimand_.kind == Kind::ratio ? "log ratio" : "log"));
    if (kept_.empty()) return settle(Verdict::undecided, "no replicate is left");
    switch (estimand_.kind) {
      case Kind::fraction:
        return judge_fraction();
      case Kind::spearman:
        return judge_signs();
      case Kind::median:
        return judge_median();
      default:
        return judge_mean();
    }
  }

  double alpha() const { return 1 - judgement_.level; }

  void judge_fraction() {
    Index successes = 0;
    for (const double v : judgement_.values)
      successes += estimand_.above ? v > *estimand_.above : v < *estimand_.below;
    judgement_.estimate = static_cast<double>(successes) / static_cast<double>(judgement_.n);
    judgement_.interval = fraction_interval(successes, judgement_.n, alpha());
    judgement_.interval95 = fraction_interval(successes, judgement_.n);
    conclude(fmt::format("{} of {}", successes, judgement_.n));
  }

  // Of a rank correlation a seed, the share of seeds where it lies in the region.
  void judge_signs() {
    Index successes = 0;
    for (const double v : judgement_.values) successes += claim_.expect.inside(v, v);
    judgement_.estimate = mean_with_t_interval(judgement_.values).mean;
    const Interval share = fraction_interval(successes, judgement_.n, alpha());
    judgement_.interval = share;
    judgement_.interval95 = fraction_interval(successes, judgement_.n);
    judgement_.over = "seeds whose correlation is " + claim_.expect.words();
    judgement_.remarks.push_back(fmt::format("{} of {} {} are {}", successes, judgement_.n,
                                             replicate_word(), claim_.expect.words()));
    if (share.low > 0.5) return settle(Verdict::supported, "");
    if (share.high < 0.5) return settle(Verdict::contradicted, "");
    settle(Verdict::undecided,
           fmt::format("{} of {} is no majority for certain", successes, judgement_.n));
  }

  void judge_median() {
    judgement_.estimate = median(judgement_.values);
    judgement_.interval = median_interval(judgement_.values, alpha());
    judgement_.interval95 = median_interval(judgement_.values);
    if (!judgement_.interval)
      return settle(Verdict::undecided,
                    fmt::format("{} replicates do not bound a median at {:.3g} %", judgement_.n,
                                100 * judgement_.level));
    conclude("");
  }

  // The crossed values of the quantity, where it has them.
  std::optional<CrossedValues> crossed() const {
    const bool linear = estimand_.kind == Kind::mean || estimand_.kind == Kind::difference;
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
  CrossedValues restricted(CrossedValues values, const RowRuns& runs) const {
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

  void judge_mean() {
    const bool ratio = estimand_.kind == Kind::ratio;
    std::vector<double> y = judgement_.values;
    if (ratio)
      for (double& v : y) v = std::log(v);
    const auto back = [ratio](double v) { return ratio ? std::exp(v) : v; };
    const MeanEstimate plain = mean_with_t_interval(y, alpha());
    judgement_.estimate = back(plain.mean);
    if (claim_.over == Claim::Over::training_sets) return judge_training_sets();
    std::optional<CrossedEstimate> by_groups;
    if (const auto values = crossed()) {
      const CrossedEstimate estimate = crossed_interval(*values, alpha());
      if (estimate.n_groups > 1 && estimate.interval) {
        by_groups = estimate;
        judgement_.estimate = estimate.value;
        judgement_.interval = estimate.interval;
        judgement_.interval95 = crossed_interval(*values).interval;
        judgement_.over = judgement_.n > 1 ? "seeds and groups" : "groups, for this seed";
        if (judgement_.n > 1) judgement_.group_share = estimate.group_share();
      }
    }
    if (!by_groups) {
      if (judgement_.n < 2)
        return settle(Verdict::undecided, "one replicate says nothing of its spread");
      const MeanEstimate plain95 = mean_with_t_interval(y);
      judgement_.interval = {back(plain.interval->low), back(plain.interval->high)};
      judgement_.interval95 = {back(plain95.interval->low), back(plain95.interval->high)};
    }
    if (estimand_.paired && estimand_.cells.size() == 1) set_correlation();
    if (estimand_.kind == Kind::difference)
      judgement_.p =
          by_groups ? p_of_zero(by_groups->value, by_groups->variance, by_groups->df) : t_test(y);
    // Where groups are what varies, the seeds' shape decides nothing.
    const bool seeds_decide = !by_groups || by_groups->seed_variance > by_groups->group_variance;
    const std::string shape = seeds_decide && judgement_.n > 1 ? shape_problem(y) : "";
    if (!shape.empty())
      return settle(Verdict::undecided, shape + ": use fraction, or median (n of at least 6)");
    if (estimand_.kind == Kind::slope) find_curvature();
    if (claim_.kind() == Claim::Kind::formula &&
        (judgement_.interval->high - judgement_.interval->low) / 2 > claim_.expect.tolerance / 4)
      return settle(Verdict::undecided,
                    "the interval's half-width is over a quarter of the tolerance: raise draws or "
                    "seeds");
    conclude(needed(plain, by_groups ? &*by_groups : nullptr));
  }

  // K seed-averaged folds (Nadeau & Bengio 2003): s²(1/K + 1/(K − 1)), K − 1 degrees of freedom.
  void judge_training_sets() {
    const CellValues& cell = cells_.front();
    std::vector<double> folds;
    const std::size_t n = cell.of.values.front().by_fold.size();
    for (std::size_t k = 0; k < n; ++k) {
      double sum = 0;
      for (const std::size_t i : kept_)
        for (const auto& [side, sign] : {std::pair{&cell.of, 1.0}, {&cell.against, -1.0}}) {
          if (side->rows.empty()) continue;
          const auto& value = side->values[i].by_fold[k];
          if (!value)
            return settle(Verdict::undecided,
                          fmt::format("fold {} alone has no {}", k, estimand_.scalar.text));
          sum += sign * *value / static_cast<double>(side->rows.size());
        }
      folds.push_back(sum / static_cast<double>(kept_.size()));
    }
    if (folds.size() < 2)
      return settle(Verdict::undecided, "one fold says nothing of other training sets");
    const MeanEstimate plain = mean_with_t_interval(folds);
    const auto K = static_cast<double>(folds.size());
    const double scale = plain.sd * std::sqrt(1 / K + 1 / (K - 1));
    const auto interval = [&](double level) {
      const double half = t_quantile(level, K - 1) * scale;
      return Interval{plain.mean - half, plain.mean + half};
    };
    judgement_.estimate = plain.mean;
    judgement_.interval = interval(alpha());
    judgement_.interval95 = interval(0.05);
    judgement_.over = "seeds, groups and training sets";
    conclude("more folds, not seeds, would decide it");
  }

  void set_correlation() {
    std::vector<double> a, b;
    for (const std::size_t i : kept_) {
      a.push_back(cells_.front().of.values[i].value);
      b.push_back(cells_.front().against.values[i].value);
    }
    judgement_.correlation = correlation(a, b);
  }

  // The slope of the upper half of the axis less that of the lower.
  void find_curvature() {
    const std::size_t n = cells_.size();
    if (n < 4) return;
    std::vector<double> bends;
    for (const std::size_t i : kept_)
      bends.push_back(quantity(i, {claim_.failed_value, claim_.failed_value}, n / 2, n) -
                      quantity(i, {claim_.failed_value, claim_.failed_value}, 0, n - n / 2));
    for (const double bend : bends)
      if (!std::isfinite(bend)) return;
    const MeanEstimate estimate = mean_with_t_interval(bends, alpha());
    if (!estimate.interval) return;
    const auto [low, high] = *estimate.interval;
    judgement_.remarks.push_back(
        fmt::format("curvature {:.4g} [{:.4g}, {:.4g}]", estimate.mean, low, high));
    if (low > 0 || high < 0)
      judgement_.reason = estimand_.scale == Estimand::Scale::log_log
                              ? "not a power law on this range"
                              : "not linear on this range";
  }

  // What would decide, where the interval does not.
  std::string needed(const MeanEstimate& plain, const CrossedEstimate* by_groups) const {
    double distance = INFINITY;
    const double at = plain.mean;
    for (const auto& edge : {claim_.expect.low, claim_.expect.high}) {
      if (!edge || (estimand_.kind == Kind::ratio && *edge <= 0)) continue;
      const double boundary = estimand_.kind == Kind::ratio ? std::log(*edge) : *edge;
      distance = std::min(distance, std::abs(at - boundary));
    }
    if (by_groups && by_groups->group_variance > 0) {
      const double df = std::max<double>(1, static_cast<double>(by_groups->n_groups) - 1);
      if (t_quantile(alpha(), df) * std::sqrt(by_groups->group_variance) >= distance)
        return "test groups, not seeds, would decide it";
    }
    const auto seeds = seeds_needed(plain.n, plain.sd, distance, alpha());
    if (!seeds || seeds->high > kMostSeeds)
      return "no number of seeds can be named: the estimate lies on the boundary";
    if (seeds->low == seeds->high)
      return fmt::format("{} {} would decide it", seeds->low, replicate_word());
    return fmt::format("{} to {} {} would decide it", seeds->low, seeds->high, replicate_word());
  }

  void conclude(const std::string& undecided) {
    const Verdict verdict = verdict_of(*judgement_.interval);
    if (verdict == Verdict::undecided) {
      const std::string more = judgement_.reason.empty() ? "" : judgement_.reason + "; ";
      return settle(verdict, more + undecided);
    }
    std::string reason = judgement_.reason;
    if (claim_.expect.sign_only) reason = reason.empty() ? "sign only" : "sign only; " + reason;
    settle(verdict, reason);
  }

  // What the interval does not hold for.
  void remark_data() {
    const Row& row = *cells_.front().of.rows.front();
    const RowRuns& runs = *cells_.front().of.runs.front();
    if (const std::string folds =
            runs.folds().trials.empty() ? "" : partial_folds_text(runs.folds());
        !folds.empty())
      judgement_.remarks.push_back(folds);
    const bool of_examples = estimand_.scalar.source == Scalar::Source::final &&
                             (estimand_.scalar.split == "test" || estimand_.scalar.split == "val");
    const BoundLeaf* seed = row.binding.find("data.seed");
    if (seed && std::holds_alternative<Index>(seed->leaf.value))
      judgement_.remarks.push_back(
          fmt::format("data.seed={} for all seeds", to_text(seed->leaf.value)));
    if (of_examples && runs.same_data() && (claim_.over == Claim::Over::seeds || !crossed()))
      judgement_.over = fmt::format("seeds, for these {} examples only", estimand_.scalar.split);
  }

  const Claim& claim_;
  const Estimand& estimand_;
  const JudgeOptions& options_;
  Judgement judgement_;
  std::vector<CellValues> cells_;
  std::vector<std::size_t> kept_;
  Index n_failed_ = 0;
  bool decided_ = false;
};

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::supported:
      return "supported";
    case Verdict::contradicted:
      return "contradicted";
    case Verdict::undecided:
      return "undecided";
    case Verdict::incomplete:
      break;
  }
  return "incomplete";
}

Judgement judge(const Claim& claim, const JudgeOptions& options) {
  return Judge(claim, options).result();
}

}  // namespace attune
