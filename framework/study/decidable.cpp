#include "study/decidable.h"

#include <cmath>

#include "base/error.h"
#include "stats/interval.h"
#include "stats/replicates.h"

namespace attune {

std::string decidable_words(const Claim& claim, Index n, Index family, double alpha) {
  using Of = Estimand::Kind;
  const double level = alpha / static_cast<double>(family < 1 ? 1 : family);
  if (claim.kind() == Claim::Kind::exact) return "any replicate that fails";
  const Of kind = claim.estimand.kind;
  if (kind == Of::fraction) {
    const Interval all = fraction_interval(n, n, level), none = fraction_interval(0, n, level);
    return fmt::format("{} of {} shows at least {:.3f}, none at most {:.3f}", n, n, all.low,
                       none.high);
  }
  if (kind == Of::spearman) {
    for (Index k = n; k > n / 2; --k)
      if (fraction_interval(k, n, level).low <= 0.5)
        return k == n ? fmt::format("nothing: {} of {} is no majority for certain", n, n)
                      : fmt::format("a sign that {} of {} seeds share", k + 1, n);
    return "a sign that most seeds share";
  }
  if (kind == Of::median)
    return 2 * std::pow(0.5, static_cast<double>(n)) <= level
               ? fmt::format("a median that lies beyond its region's edge with all of {} but few",
                             n)
               : fmt::format("nothing: {} replicates bound no median", n);
  if (n < 2) return "nothing: one replicate says nothing of its spread";
  const double sds = t_quantile(level, static_cast<double>(n - 1)) / std::sqrt(n);
  return fmt::format("an effect {:.2f} sd beyond its region's edge", sds);
}

}  // namespace attune
