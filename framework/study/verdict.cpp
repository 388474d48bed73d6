#include "study/verdict.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "stats/replicates.h"
#include "study/outcome.h"

namespace attune {
namespace {

using Kind = Estimand::Kind;
class Judge {
 public:
  Judge(const Claim& claim, const JudgeOptions& options)
      : claim_(claim),
        estimand_(claim.estimand),
        runs_(claim, options.chosen_by, options.judged_on, options.same_runs) {
    judgement_.level = 1 - options.alpha / static_cast<double>(std::max<Index>(options.family, 1));
  }

  Judgement result() {
    judgement_.remarks = runs_.remarks();
    if (!runs_.incomplete().empty()) {
      settle(Verdict::incomplete, runs_.incomplete());
    } else if (claim_.kind() == Claim::Kind::exact) {
      judge_exact();
    } else {
      judge_replicates();
    }
    return judgement_;
  }

 private:
  void settle(Verdict verdict, std::string reason) {
    judgement_.verdict = verdict;
    judgement_.reason = std::move(reason);
  }

  void judge_exact() {
    const Region& region = claim_.expect;
    const bool extreme = estimand_.kind == Kind::max || estimand_.kind == Kind::min;
    std::optional<double> worst;
    judgement_.over = "every replicate";
    for (const std::size_t i : runs_.kept()) {
      if (runs_.failed(i)) return settle(Verdict::undecided, runs_.at(i).name() + " diverged");
      std::vector<double> all = {runs_.quantity(i, {})};
      if (extreme) all = runs_.of().values[i].all;
      judgement_.n += 1;
      judgement_.seeds.push_back(runs_.at(i).seed);
      for (const double v : all) {
        if (!worst || (estimand_.kind == Kind::min ? v < *worst : v > *worst)) worst = v;
        // Of NaN nothing holds.
        if (!region.inside(v, v)) {
          judgement_.estimate = v;
          return settle(Verdict::contradicted, fmt::format("{} of {} has {}", runs_.at(i).name(),
                                                           runs_.of().rows.front()->name, v));
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
    judgement_.n = static_cast<Index>(runs_.kept().size());
    for (const std::size_t i : runs_.kept()) judgement_.seeds.push_back(runs_.at(i).seed);
    remark_data();
    const bool imputes = runs_.n_failed() > 0 && claim_.if_failed != Claim::Failed::drop;
    if (imputes && claim_.if_failed == Claim::Failed::undecided) return judge_between_bounds();
    const double v = imputes ? claim_.failed_value : NAN;
    judge_filled({v, v});
  }

  // Where a metric is bounded a verdict that holds with the best and the worst value for what
  // failed stands (Horowitz & Manski 2000).
  void judge_between_bounds() {
    const auto bounds = bounds_of(estimand_.scalar);
    const std::string reason =
        fmt::format("{} of {} {} diverged, and if_failed says nothing of them", runs_.n_failed(),
                    runs_.n_all(), runs_.word());
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

  void judge_filled(const Replicates::Fill& fill) {
    judgement_.values.clear();
    for (const std::size_t i : runs_.kept()) judgement_.values.push_back(runs_.quantity(i, fill));
    for (std::size_t k = 0; k < runs_.kept().size(); ++k)
      if (!std::isfinite(judgement_.values[k]) ||
          (estimand_.kind == Kind::ratio && !(judgement_.values[k] > 0)))
        return settle(Verdict::undecided,
                      fmt::format("{} has no {}: its values must be positive",
                                  runs_.at(runs_.kept()[k]).name(),
                                  estimand_.kind == Kind::ratio ? "log ratio" : "log"));
    if (runs_.kept().empty()) return settle(Verdict::undecided, "no replicate is left");
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

  // Of a rank correlation a seed, the share of seeds where it lies in the region: a majority.
  void judge_signs() {
    Index successes = 0;
    for (const double v : judgement_.values) successes += claim_.expect.inside(v, v);
    judgement_.estimate = static_cast<double>(successes) / static_cast<double>(judgement_.n);
    const Interval share = fraction_interval(successes, judgement_.n, alpha());
    judgement_.interval = share;
    judgement_.interval95 = fraction_interval(successes, judgement_.n);
    judgement_.remarks.push_back(fmt::format("{} of {} correlations are {}, their mean is {:.3g}",
                                             successes, judgement_.n, claim_.expect.words(),
                                             mean_with_t_interval(judgement_.values).mean));
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
    if (const auto values = runs_.crossed()) {
      const CrossedEstimate estimate = interval_of(*values, alpha());
      if (estimate.n_groups > 1 && estimate.interval) {
        by_groups = estimate;
        judgement_.estimate = estimate.value;
        judgement_.interval = estimate.interval;
        judgement_.interval95 = interval_of(*values).interval;
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
          by_groups ? t_test(by_groups->value, by_groups->variance, by_groups->df) : t_test(y);
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
    std::vector<double> folds;
    const std::size_t n = runs_.of().values.front().by_fold.size();
    for (std::size_t k = 0; k < n; ++k) {
      double sum = 0;
      for (const std::size_t i : runs_.kept())
        for (const auto& [side, sign] : {std::pair{&runs_.of(), 1.0}, {&runs_.against(), -1.0}}) {
          if (side->rows.empty()) continue;
          const auto& value = side->values[i].by_fold[k];
          if (!value)
            return settle(Verdict::undecided,
                          fmt::format("fold {} alone has no {}", k, estimand_.scalar.text));
          sum += sign * *value / static_cast<double>(side->rows.size());
        }
      folds.push_back(sum / static_cast<double>(runs_.kept().size()));
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
    for (const std::size_t i : runs_.kept()) {
      a.push_back(runs_.of().values[i].value);
      b.push_back(runs_.against().values[i].value);
    }
    judgement_.correlation = correlation(a, b);
  }

  // The slope of the upper half of the axis less that of the lower.
  void find_curvature() {
    const std::size_t n = runs_.n_cells();
    if (n < 4) return;
    const Replicates::Fill fill{claim_.failed_value, claim_.failed_value};
    std::vector<double> bends;
    for (const std::size_t i : runs_.kept())
      bends.push_back(runs_.quantity(i, fill, n / 2, n) - runs_.quantity(i, fill, 0, n - n / 2));
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
      return fmt::format("{} {} would decide it", seeds->low, runs_.word());
    return fmt::format("{} to {} {} would decide it", seeds->low, seeds->high, runs_.word());
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
    const Row& row = *runs_.of().rows.front();
    const RowRuns& runs = *runs_.of().runs.front();
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
    if (of_examples && runs.same_data() && (claim_.over == Claim::Over::seeds || !runs_.crossed()))
      judgement_.over = fmt::format("seeds, for these {} examples only", estimand_.scalar.split);
  }

  const Claim& claim_;
  const Estimand& estimand_;
  Replicates runs_;
  Judgement judgement_;
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
