#pragma once

#include <string>

#include "autograd/ops.h"
#include "base/fields.h"
#include "storage/run_content.h"

namespace attune {

// loss: what training minimises, a mean over the targets that count, of logits z and class y.
//   cross_entropy         −log softmax(z)_y; with label smoothing against (1−ε)·onehot + ε/c
//   mse                   mean over the classes of (z − onehot(y))²       Hui & Belkin 2021
//   binary_cross_entropy  mean over the classes of −t log σ(z) − (1−t) log(1−σ(z)), t = onehot(y)
struct LossOptions {
  enum class Kind { cross_entropy, mse, binary_cross_entropy };
  Kind kind = Kind::cross_entropy;
  double label_smoothing = 0;

  void fields(FieldList& f);
  std::string name() const;  // "mse"
};

// The metric `loss` of an evaluation: the same without smoothing.
MetricInfo loss_metric(const std::string& loss);

// Of one row: logits z [n_classes].
double loss_of_row(const std::string& loss, const float* z, Index n_classes, Index target);

// logits [n, n_classes], targets [n], kNoTarget only under cross_entropy.
template <class Real>
Var loss_of(Tape<Real>& t, const LossOptions& options, Var logits,
            View<const std::int32_t> targets) {
  if (options.kind == LossOptions::Kind::cross_entropy)
    return cross_entropy(t, logits, targets, {.label_smoothing = options.label_smoothing});
  const auto onehot = t.arena().template zeros<Real>(t.value(logits).shape());
  for (Index i = 0; i < targets.size(); ++i) onehot(i, targets[i]) = Real(1);
  const Var wanted = t.constant(View<const Real>(onehot));
  return options.kind == LossOptions::Kind::mse ? mse(t, logits, wanted)
                                                : binary_cross_entropy(t, logits, wanted);
}

}  // namespace attune
