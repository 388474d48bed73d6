#include "optim/adamw.h"

#include <cmath>

#include "kernels/pointwise.h"

namespace attune {

void AdamWOptions::fields(FieldList& f) {
  f.real("lr", lr, {1e-10, 100.0}, Role::result, "learning rate at its highest");
  f.real("weight_decay", weight_decay, {0.0, 10.0}, Role::result,
         "decoupled decay of weight matrices");
  f.reals("betas", betas, {0.0, 0.999999}, Role::result,
          "decay rates of the first and second moment");
  f.real("eps", eps, {1e-16, 1.0}, Role::result, "added to the root of the second moment");
  f.real("clip_norm", clip_norm, {1e-6, 1e6}, Role::result,
         "largest norm of the whole gradient; null: no clipping");
  f.rule([this]() -> std::optional<Complaint> {
    if (betas.size() == 2) return std::nullopt;
    return Complaint{"betas",
                     fmt::format("betas={} has {} value{}", to_text(FieldValue(betas)),
                                 betas.size(), betas.size() == 1 ? "" : "s"),
                     "give two, such as [0.9, 0.999]",
                     {}};
  });
}

void OptimOptions::fields(FieldList& f) {
  f.variant("optim", kind, {FieldList::alternative("adamw", "Adam with decoupled decay", adamw)},
            "the optimiser");
}

template <class Real>
AdamW<Real>::AdamW(const Registry& registry, const AdamWOptions& options)
    : options_(options), m_(registry), v_(registry) {
  for (const ParameterId id : registry.by_name()) {
    const Registry::Parameter& p = registry[id];
    if (p.decay == Decay::yes)
      decayed_.push_back({p.offset, p.offset + p.shape.size(), options.weight_decay});
  }
}

template <class Real>
double AdamW<Real>::step(View<Real> values, View<Real> grads, double lr, Index t) {
  const double norm = std::sqrt(kernels::squared_norm<Real>(grads));
  if (options_.clip_norm && norm > *options_.clip_norm)
    kernels::scale<Real>(static_cast<Real>(*options_.clip_norm / norm), grads, grads);
  kernels::AdamWOptions update;
  update.lr = lr;
  update.beta1 = options_.betas[0];
  update.beta2 = options_.betas[1];
  update.eps = options_.eps;
  update.step = t + 1;
  kernels::adamw<Real>(update, decayed_, grads, values, m_.all(), v_.all());
  return norm;
}

template class AdamW<float>;
template class AdamW<double>;

}  // namespace attune
