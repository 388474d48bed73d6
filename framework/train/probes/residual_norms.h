#pragma once

#include "train/probe.h"

namespace attune {

// residual_norms [step, layer]: root mean square of the elements of
//   input      the residual stream that enters block `layer` (of block 0: the embedded rows)
//   attention  what its attention adds to the stream, norms and LayerScale on the branch included
//   mlp        what its feed-forward layer adds
//   output     the stream that leaves it; with norm post after its last norm
// over all rows of the validation examples. The root mean square, √(‖x‖² / d), is 1 behind a norm
// whatever the width; times √d it is the L2 norm of a row, in quadratic mean. With norm pre it
// grows like √layer at the start (Xiong et al. 2020, lemma 2).
struct ResidualNormsOptions : ValidationOptions {
  const ProbeInfo& info() const override;
  std::unique_ptr<Probe> make(const ProbeSubject& subject) const override;
};

}  // namespace attune
