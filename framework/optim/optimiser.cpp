#include "optim/optimiser.h"

#include <cmath>

#include "kernels/pointwise.h"

namespace attune {

void OptimiserOptions::common_fields(FieldList& f, std::string_view decay_doc) {
  f.real("lr", lr, {1e-10, 100.0}, Role::result, "learning rate at its highest");
  f.real("weight_decay", weight_decay, {0.0, 10.0}, Role::result, decay_doc);
}

void AdamOptions::moment_fields(FieldList& f) {
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

void AdamOptions::fields(FieldList& f) {
  common_fields(f, "decay of weight matrices, added to the gradient");
  moment_fields(f);
}

void AdamWOptions::fields(FieldList& f) {
  common_fields(f, "decoupled decay of weight matrices");
  moment_fields(f);
}

void SgdOptions::fields(FieldList& f) {
  common_fields(f, "decay of weight matrices, added to the gradient");
  f.real("momentum", momentum, {0.0, 0.999999}, Role::result, "share of the last step's velocity");
  f.real("clip_norm", clip_norm, {1e-6, 1e6}, Role::result,
         "largest norm of the whole gradient; null: no clipping");
}

void OptimOptions::fields(FieldList& f) {
  f.variant("optim", kind,
            {FieldList::alternative("adamw", "Adam with decoupled decay", adamw),
             FieldList::alternative("adam", "Adam, with decay in the gradient", adam),
             FieldList::alternative("sgd", "gradient descent with momentum", sgd)},
            "the optimiser");
}

const OptimiserOptions& OptimOptions::chosen() const {
  if (kind == "sgd") return sgd;
  if (kind == "adam") return adam;
  return adamw;
}

template <class Real>
Optimiser<Real>::Optimiser(const Registry& registry, const OptimOptions& options)
    : options_(options) {
  const bool is_sgd = options.kind == "sgd";
  const std::vector<const char*> names =
      !is_sgd                    ? std::vector<const char*>{"first_moment", "second_moment"}
      : options.sgd.momentum > 0 ? std::vector<const char*>{"velocity"}
                                 : std::vector<const char*>{};
  for (const char* name : names) {
    blocks_.push_back(std::make_unique<ParameterBlock<Real>>(registry));
    moments_.push_back({name, blocks_.back()->all()});
  }
  const double decay = options.chosen().weight_decay;
  for (const ParameterId id : registry.by_name()) {
    const Registry::Parameter& p = registry[id];
    if (p.decay == Decay::yes) decayed_.push_back({p.offset, p.offset + p.shape.size(), decay});
  }
}

template <class Real>
double Optimiser<Real>::step(View<Real> values, View<Real> grads, double lr, Index t) {
  const double norm = std::sqrt(kernels::squared_norm<Real>(grads));
  const std::optional<double>& clip = options_.chosen().clip_norm;
  if (clip && norm > *clip) kernels::scale<Real>(static_cast<Real>(*clip / norm), grads, grads);
  if (options_.kind == "sgd") {
    const View<Real> velocity = moments_.empty() ? View<Real>() : moments_[0].values;
    kernels::sgd<Real>({lr, options_.sgd.momentum}, decayed_, grads, values, velocity);
    return norm;
  }
  const bool decoupled = options_.kind == "adamw";
  const AdamOptions& adam = decoupled ? options_.adamw : options_.adam;
  kernels::AdamOptions update;
  update.lr = lr;
  update.beta1 = adam.betas[0];
  update.beta2 = adam.betas[1];
  update.eps = adam.eps;
  update.decoupled = decoupled;
  update.step = t + 1;
  kernels::adam<Real>(update, decayed_, grads, values, moments_[0].values, moments_[1].values);
  return norm;
}

template class Optimiser<float>;
template class Optimiser<double>;

}  // namespace attune
