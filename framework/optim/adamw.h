#pragma once

#include <optional>
#include <vector>

#include "kernels/optimiser.h"
#include "nn/registry.h"

namespace attune {

// AdamW (Loshchilov & Hutter 2019, algorithm 2; Kingma & Ba 2015 for the moments). Decay applies
// to the parameters registered with Decay::yes.
struct AdamWOptions {
  double lr = 1e-3;
  double weight_decay = 0.01;
  std::vector<double> betas = {0.9, 0.999};
  double eps = 1e-8;
  std::optional<double> clip_norm;

  void fields(FieldList& f);
};

struct OptimOptions {
  std::string kind = "adamw";
  AdamWOptions adamw;

  void fields(FieldList& f);
};

// Moments of one model and the update. Step t counts from 0:
//   m = β₁m + (1−β₁)g,  v = β₂v + (1−β₂)g²,
//   θ = θ(1 − lr·λ) − lr/(1−β₁^(t+1)) · m / (sqrt(v / (1−β₂^(t+1))) + eps).
template <class Real>
class AdamW {
 public:
  AdamW(const Registry& registry, const AdamWOptions& options);

  // Clips the gradient to clip_norm if asked, updates the values; gives the norm before clipping
  // (over all parameters, in double). Gradients are left as clipped.
  double step(View<Real> values, View<Real> grads, double lr, Index t);

  View<Real> first_moment() const { return m_.all(); }
  View<Real> second_moment() const { return v_.all(); }

 private:
  AdamWOptions options_;
  ParameterBlock<Real> m_, v_;
  std::vector<kernels::DecayRange> decayed_;
};

extern template class AdamW<float>;
extern template class AdamW<double>;

}  // namespace attune
