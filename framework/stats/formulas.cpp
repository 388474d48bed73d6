#include "stats/formulas.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace attune {
namespace {

using Arguments = std::map<std::string, double>;

double square(double x) { return x * x; }

double below(double x) { return boost::math::cdf(boost::math::normal(), x); }

// Softmax weight of one logit s among n of N(0, σ²), in the mean of the noise's normaliser.
double signal_weight(const Arguments& a) {
  const double signal = std::exp(a.at("s"));
  return signal / (signal + a.at("n") * std::exp(square(a.at("sigma")) / 2));
}

}  // namespace

const std::vector<Formula>& formulas() {
  static const std::vector<Formula> all = {
      {"uniform_entropy",
       "ln n: the entropy of n equal weights, in nat",
       {"n"},
       [](const Arguments& a) { return std::log(a.at("n")); }},
      {"score_variance",
       "d_k·σ_q²·σ_k²/c²: the variance of q·k/c of independent normal q, k",
       {"d_k", "sigma_q", "sigma_k", "c"},
       [](const Arguments& a) {
         return a.at("d_k") * square(a.at("sigma_q") * a.at("sigma_k") / a.at("c"));
       }},
      {"softmax_jacobian_trace",
       "1 − exp(σ²)/n: E tr J of a softmax over n logits of N(0, σ²), small σ",
       {"n", "sigma"},
       [](const Arguments& a) { return 1 - std::exp(square(a.at("sigma"))) / a.at("n"); }},
      {"softmax_entropy",
       "ln n − σ²/2: its entropy where σ is far below √(2 ln n), in nat",
       {"n", "sigma"},
       [](const Arguments& a) { return std::log(a.at("n")) - square(a.at("sigma")) / 2; }},
      {"signal_weight",
       "e^s/(e^s + n·e^(σ²/2)): softmax weight of a logit s among n of N(0, σ²)",
       {"s", "n", "sigma"},
       signal_weight},
      {"signal_entropy",
       "h(p) + (1 − p)(ln n − σ²/2) with p of signal_weight, in nat",
       {"s", "n", "sigma"},
       [](const Arguments& a) {
         const double p = signal_weight(a), q = 1 - p;
         const double h = -(p > 0 ? p * std::log(p) : 0) - (q > 0 ? q * std::log(q) : 0);
         return h + q * (std::log(a.at("n")) - square(a.at("sigma")) / 2);
       }},
      {"sparsemax_silence",
       "Φ((s − 1)/σ)^n: P(all n noise keys of N(0, σ²) beside a logit s have weight 0)",
       {"s", "n", "sigma"},
       [](const Arguments& a) {
         return std::pow(below((a.at("s") - 1) / a.at("sigma")), a.at("n"));
       }},
      {"entmax15_silence",
       "Φ((s − 2)/σ)^n: the same of 1.5-entmax",
       {"s", "n", "sigma"},
       [](const Arguments& a) {
         return std::pow(below((a.at("s") - 2) / a.at("sigma")), a.at("n"));
       }},
  };
  return all;
}

std::optional<double> formula_value(const std::string& name, const Arguments& arguments,
                                    std::string& why) {
  std::vector<std::string> names;
  for (const Formula& formula : formulas()) {
    names.push_back(formula.name);
    if (formula.name != name) continue;
    for (const std::string& argument : formula.arguments)
      if (!arguments.contains(argument)) {
        why = fmt::format("needs with: {{{}}}; {} is missing", join(formula.arguments), argument);
        return std::nullopt;
      }
    if (arguments.size() > formula.arguments.size()) {
      why = fmt::format("takes {} alone", join(formula.arguments));
      return std::nullopt;
    }
    const double value = formula.value(arguments);
    if (std::isfinite(value)) return value;
    why = fmt::format("is {} there", value);
    return std::nullopt;
  }
  const auto meant = did_you_mean(name, names);
  why = fmt::format("is none{}; there are {}",
                    meant ? fmt::format("; did you mean {}?", *meant) : "", join(names));
  return std::nullopt;
}

}  // namespace attune
