#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "kernels/optimiser.h"
#include "nn/registry.h"

namespace attune {

// What every optimiser has. Decay applies to the parameters registered with Decay::yes.
struct OptimiserOptions {
  double lr = 1e-3;
  double weight_decay = 0;
  std::optional<double> clip_norm;

 protected:
  void common_fields(FieldList& f, std::string_view decay_doc);
};

struct AdamOptions : OptimiserOptions {
  std::vector<double> betas = {0.9, 0.999};
  double eps = 1e-8;

  void fields(FieldList& f);

 protected:
  void moment_fields(FieldList& f);
};

// Decay beside the gradient's step, not in it (Loshchilov & Hutter 2019).
struct AdamWOptions : AdamOptions {
  AdamWOptions() { weight_decay = 0.01; }
  void fields(FieldList& f);
};

struct SgdOptions : OptimiserOptions {
  double momentum = 0.9;
  SgdOptions() { lr = 0.1; }
  void fields(FieldList& f);
};

struct OptimOptions {
  std::string kind = "adamw";
  AdamWOptions adamw;
  AdamOptions adam;
  SgdOptions sgd;

  void fields(FieldList& f);
  const OptimiserOptions& chosen() const;
};

// The moments of one model and its update (kernels/optimiser.h has the formulas): adamw, adam with
// the decay in the gradient, and sgd with momentum, all as PyTorch computes them.
template <class Real>
class Optimiser {
 public:
  Optimiser(const Registry& registry, const OptimOptions& options);

  // Clips the gradient to clip_norm if asked, updates the values; gives the norm before clipping
  // (over all parameters, in double). Gradients are left as clipped. t counts from 0.
  double step(View<Real> values, View<Real> grads, double lr, Index t);

  // What a checkpoint keeps beside the values.
  struct Moment {
    const char* name;
    View<Real> values;
  };
  const std::vector<Moment>& moments() const { return moments_; }

 private:
  OptimOptions options_;
  std::vector<std::unique_ptr<ParameterBlock<Real>>> blocks_;
  std::vector<Moment> moments_;
  std::vector<kernels::DecayRange> decayed_;
};

extern template class Optimiser<float>;
extern template class Optimiser<double>;

}  // namespace attune
