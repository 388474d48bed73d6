#include "train/loss.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/math.h"

namespace attune {
namespace {

using Kind = LossOptions::Kind;

const std::vector<std::pair<std::string, Kind>> kKinds = {
    {"cross_entropy", Kind::cross_entropy},
    {"mse", Kind::mse},
    {"binary_cross_entropy", Kind::binary_cross_entropy}};

double cross_entropy_of(const float* z, Index n_classes, Index target) {
  const double high = *std::max_element(z, z + n_classes);
  double total = 0;
  for (Index c = 0; c < n_classes; ++c) total += kernels::exp(z[c] - high);
  return kernels::log(total) + high - z[target];
}

double squares_of(const float* z, Index n_classes, Index target) {
  double sum = 0;
  for (Index c = 0; c < n_classes; ++c) {
    const double off = static_cast<double>(z[c]) - (c == target ? 1 : 0);
    sum += off * off;
  }
  return sum / static_cast<double>(n_classes);
}

// −log σ(x) = max(−x, 0) + log(1 + e^−|x|), which overflows nowhere.
double binary_of(const float* z, Index n_classes, Index target) {
  double sum = 0;
  for (Index c = 0; c < n_classes; ++c) {
    const double x = c == target ? static_cast<double>(z[c]) : -static_cast<double>(z[c]);
    sum += std::max(-x, 0.0) + kernels::log(1 + kernels::exp(-std::abs(x)));
  }
  return sum / static_cast<double>(n_classes);
}

}  // namespace

void LossOptions::fields(FieldList& f) {
  f.choice("kind", kind, kKinds, Role::result, "what the model's outputs are held to");
  f.real("label_smoothing", label_smoothing, {0.0, 0.999}, Role::result,
         "probability that cross_entropy spreads evenly over the classes (Szegedy et al. 2016)");
  f.rule([this]() -> std::optional<Complaint> {
    if (kind == Kind::cross_entropy || label_smoothing == 0) return std::nullopt;
    return Complaint{
        "label_smoothing",
        fmt::format("label_smoothing={} is of cross_entropy, and kind={}", label_smoothing, name()),
        "leave it out",
        {"kind"}};
  });
}

std::string LossOptions::name() const {
  for (const auto& [word, each] : kKinds)
    if (each == kind) return word;
  return "?";
}

MetricInfo loss_metric(const std::string& loss) {
  if (loss == "mse") return {"loss", "1", "mean squared distance to one-hot targets", "minimize"};
  if (loss == "binary_cross_entropy")
    return {"loss", "nat", "mean binary cross-entropy over the classes", "minimize"};
  return {"loss", "nat", "mean cross-entropy", "minimize"};
}

double loss_of_row(const std::string& loss, const float* z, Index n_classes, Index target) {
  if (loss == "cross_entropy") return cross_entropy_of(z, n_classes, target);
  if (loss == "mse") return squares_of(z, n_classes, target);
  ATTUNE_CHECK(loss == "binary_cross_entropy", DataError, "there is no loss '{}'", loss);
  return binary_of(z, n_classes, target);
}

}  // namespace attune
