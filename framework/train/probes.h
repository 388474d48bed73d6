#pragma once

#include <optional>
#include <vector>

#include "base/fields.h"
#include "nn/registry.h"
#include "storage/run_content.h"
#include "train/kind.h"

namespace attune {

// gradient_norms: L2 norms of the gradient before clipping, by residual block; quantities block,
// attention and mlp over the parameters of each.
struct GradientNormsOptions {
  Index every = 100;
  void fields(FieldList& f);
};

// probes: what else is measured in a run. A probe reads, and changes no bit of training.
struct ProbesOptions {
  std::optional<GradientNormsOptions> gradient_norms;
  void fields(FieldList& f);
};

const std::vector<Listed>& listed_probes();

// Declaration of gradient_norms, and its values at a step, in the order probe_row takes.
ProbeTable gradient_norms_table(const Registry& registry);
std::vector<double> gradient_norms(const Registry& registry, const ParameterBlock<float>& grads);

}  // namespace attune
