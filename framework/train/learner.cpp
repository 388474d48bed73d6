#include "train/learner.h"

#include <algorithm>
#include <cmath>

namespace attune {

template <class Real>
Learner<Real>::Learner(const LearnerOptions& options, Index n_classes, std::uint64_t seed)
    : options_(options),
      training_tape_(arena_),
      evaluation_tape_(arena_, false),
      n_classes_(n_classes) {
  model_ = std::make_unique<Vit>(registry_, options.model, n_classes);
  registry_.finish();
  values_ = std::make_unique<ParameterBlock<Real>>(registry_);
  grads_ = std::make_unique<ParameterBlock<Real>>(registry_);
  optimiser_ = std::make_unique<AdamW<Real>>(registry_, options.optim.adamw);
  initialise(registry_, seed, *values_);
  for (const std::string& name : registry_.streams())
    streams_.push_back(Stream(seed, "dropout", name).key);
  vars_.resize(registry_.parameters().size());
}

template <class Real>
Pass<Real> Learner<Real>::pass(Tape<Real>& tape, const Batch& batch, bool training, Index step) {
  tape.reset();
  for (std::size_t i = 0; i < vars_.size(); ++i) {
    const ParameterId id{static_cast<int>(i)};
    vars_[i] = tape.parameter((*values_)[id], (*grads_)[id]);
  }
  const PackedRows rows = batch.rows();
  return Pass<Real>{tape, vars_, streams_, rows, coordinates_of(rows, arena_), training, step};
}

template <class Real>
View<const Real> Learner<Real>::converted(const Batch& batch) {
  if constexpr (std::is_same_v<Real, float>) {
    return batch.patches();
  } else {
    const auto x = arena_.view<Real>(batch.patches().shape());
    std::copy(batch.patches().begin(), batch.patches().end(), x.begin());
    return x;
  }
}

template <class Real>
typename Learner<Real>::Step Learner<Real>::differentiate(const Batch& batch, Index step) {
  const Pass<Real> p = pass(training_tape_, batch, true, step);
  std::fill(grads().begin(), grads().end(), Real(0));
  const Var logits = (*model_)(p, training_tape_.constant(converted(batch)));
  const Var loss = cross_entropy(training_tape_, logits, batch.targets());
  training_tape_.backward(loss);
  logits_ = training_tape_.value(logits);

  Index right = 0;
  for (Index e = 0; e < batch.n_examples(); ++e) {
    const Real* z = logits_.row(e);
    right += std::max_element(z, z + n_classes_) - z == batch.targets()[e];
  }
  Step result;
  result.loss = static_cast<double>(training_tape_.value(loss)[0]);
  result.accuracy = std::isnan(result.loss)
                        ? result.loss  // among NaN there is no largest logit
                        : static_cast<double>(right) / static_cast<double>(batch.n_examples());
  return result;
}

template <class Real>
void Learner<Real>::update(Index step, Step& result) {
  result.lr = learning_rate(options_.schedule, options_.optim.adamw.lr, step, options_.steps);
  result.grad_norm = optimiser_->step(values(), grads(), result.lr, step);
}

template <class Real>
typename Learner<Real>::Step Learner<Real>::step(const Batch& batch, Index step) {
  Step result = differentiate(batch, step);
  update(step, result);
  return result;
}

template <class Real>
View<const Real> Learner<Real>::evaluate(const Batch& batch) {
  const Pass<Real> p = pass(evaluation_tape_, batch, false, 0);
  const Var logits = (*model_)(p, evaluation_tape_.constant(converted(batch)));
  logits_ = evaluation_tape_.value(logits);
  return logits_;
}

template class Learner<float>;
template class Learner<double>;

}  // namespace attune
