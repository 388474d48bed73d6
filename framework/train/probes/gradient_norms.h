#pragma once

#include "train/probe.h"

namespace attune {

// gradient_norms [step, layer]: L2 norms of the gradient before clipping over the parameters of a
// residual block (block), and over those of its attention and of its feed-forward layer (mlp). A
// row at step s is of the gradient at the parameters after s updates; the last one is that of the
// last update.
struct GradientNormsOptions : EveryOptions {
  const ProbeInfo& info() const override;
  std::unique_ptr<Probe> make(const ProbeSubject& subject) const override;
};

}  // namespace attune
