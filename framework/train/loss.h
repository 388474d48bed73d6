#pragma once

#include "autograd/ops.h"
#include "base/fields.h"

namespace attune {

// loss: what training minimises, a mean over the targets that count.
struct LossOptions {
  double label_smoothing = 0;

  void fields(FieldList& f);
};

// logits [n, n_classes], targets [n].
template <class Real>
Var loss_of(Tape<Real>& t, const LossOptions& options, Var logits,
            View<const std::int32_t> targets) {
  return cross_entropy(t, logits, targets, {.label_smoothing = options.label_smoothing});
}

}  // namespace attune
