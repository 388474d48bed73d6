#include "train/learner.h"

#include <algorithm>
#include <cmath>

namespace attune {

namespace {

// Of a batch's numbers, in the tape's precision.
template <class Real>
Var constant(Tape<Real>& tape, View<const float> x) {
  if constexpr (std::is_same_v<Real, float>) {
    return tape.constant(x);
  } else {
    const auto copy = tape.arena().template view<Real>(x.shape());
    std::copy(x.begin(), x.end(), copy.begin());
    return tape.constant(View<const Real>(copy));
  }
}

}  // namespace

template <class Real>
Learner<Real>::Learner(const LearnerOptions& options, const RowSpec& data, std::uint64_t seed)
    : options_(options), training_tape_(arena_), evaluation_tape_(arena_, false), data_(data) {
  model_ = options.model->make(registry_, data);
  registry_.finish();
  values_ = std::make_unique<ParameterBlock<Real>>(registry_);
  grads_ = std::make_unique<ParameterBlock<Real>>(registry_);
  training_tape_.recycle();
  optimiser_ = std::make_unique<Optimiser<Real>>(registry_, options.optim);
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
  return Pass<Real>{tape,     vars_, streams_, rows, coordinates_of(rows, tape.arena()),
                    training, step};
}

template <class Real>
Var Learner<Real>::logits_of(Tape<Real>& tape, const Pass<Real>& pass, const Batch& batch) {
  ModelInput input;
  if (data_.kind == RowSpec::Kind::tokens) {
    input.tokens = batch.tokens();
  } else {
    input.values = constant(tape, batch.values());
  }
  input.sparse = batch.sparse();
  input.edges = batch.edges();
  if (data_.queries) {
    input.queries.rows = batch.query_rows();
    input.queries.coordinates = coordinates_of(input.queries.rows, tape.arena());
    if (data_.queries->kind == RowSpec::Kind::tokens) {
      input.queries.tokens = batch.query_tokens();
    } else {
      input.queries.values = constant(tape, batch.query_values());
    }
  }
  return (*model_)(pass, input);
}

template <class Real>
typename Learner<Real>::Step Learner<Real>::differentiate(const Batch& batch, Index step) {
  const Pass<Real> p = pass(training_tape_, batch, true, step);
  {
    const ProfileSpan span(training_tape_.profile(), "zero gradients");
    std::fill(grads().begin(), grads().end(), Real(0));
  }
  const Var logits = logits_of(training_tape_, p, batch);
  const Var loss = loss_of(training_tape_, options_.loss, logits, batch.targets());
  training_tape_.keep(logits);
  training_tape_.keep(loss);
  training_tape_.backward(loss);
  logits_ = training_tape_.value(logits);

  Index right = 0, all = 0;
  const View<const std::int32_t> targets = batch.targets();
  for (Index i = 0; i < targets.size(); ++i) {
    if (targets[i] == kNoTarget) continue;
    const Real* z = logits_.row(i);
    right += std::max_element(z, z + data_.n_classes) - z == targets[i];
    ++all;
  }
  Step result;
  result.loss = static_cast<double>(training_tape_.value(loss)[0]);
  result.accuracy = std::isnan(result.loss)
                        ? result.loss  // among NaN there is no largest logit
                        : static_cast<double>(right) / static_cast<double>(std::max<Index>(all, 1));
  return result;
}

template <class Real>
void Learner<Real>::update(Index step, Step& result) {
  result.lr = learning_rate(options_.schedule, options_.optim.chosen().lr, step, options_.steps);
  const ProfileSpan span(training_tape_.profile(), "optimiser");
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
  const Var logits = logits_of(evaluation_tape_, p, batch);
  logits_ = evaluation_tape_.value(logits);
  return logits_;
}

template <class Real>
void Learner<Real>::look(const Batch& batch, Tape<Real>& tape, Capture<Real>& capture) {
  Pass<Real> p = pass(tape, batch, false, 0);
  capture.clear();
  p.capture = &capture;
  logits_of(tape, p, batch);
}

template class Learner<float>;
template class Learner<double>;

}  // namespace attune
