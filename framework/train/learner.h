#pragma once

#include <memory>
#include <vector>

#include "datasets/batch.h"
#include "nn/model.h"
#include "optim/optimiser.h"
#include "optim/schedule.h"
#include "train/loss.h"

namespace attune {

struct LearnerOptions {
  const ModelOptions* model = nullptr;
  LossOptions loss;
  OptimOptions optim;
  ScheduleOptions schedule;
  Index steps = 0;  // of the whole run, for the schedule
};

// One model in training: parameters, optimiser, tape, memory. Owns everything that a step
// touches; two learners in one process know nothing of each other. A warm step allocates nothing.
template <class Real>
class Learner {
 public:
  // Parameters as the seed makes them.
  Learner(const LearnerOptions& options, const RowSpec& data, std::uint64_t seed);

  struct Step {
    double loss = 0;       // mean over the batch's targets, before the update
    double accuracy = 0;   // of the same logits, dropout on
    double grad_norm = 0;  // before clipping
    double lr = 0;
  };
  // Forward and backward: loss, accuracy and the gradients. `step` counts from 0 and keys the
  // dropout masks.
  Step differentiate(const Batch& batch, Index step);
  // The optimiser's update from these gradients, which it may clip: grad_norm and lr.
  void update(Index step, Step& result);
  // Both.
  Step step(const Batch& batch, Index step);

  // Logits of a batch without dropout, [n_examples, n_classes], or a row each where rows or queries
  // have targets; valid until the next call.
  View<const Real> evaluate(const Batch& batch);
  // The same pass on a tape of the caller's, whose nodes `capture` names.
  void look(const Batch& batch, Tape<Real>& tape, Capture<Real>& capture);

  const LossOptions& loss() const { return options_.loss; }
  const RowSpec& data() const { return data_; }
  const Registry& registry() const { return registry_; }
  View<Real> values() const { return values_->all(); }
  View<Real> grads() const { return grads_->all(); }
  View<Real> value(ParameterId id) const { return (*values_)[id]; }
  View<Real> grad(ParameterId id) const { return (*grads_)[id]; }
  const ParameterBlock<Real>& value_block() const { return *values_; }
  const ParameterBlock<Real>& grad_block() const { return *grads_; }
  const Optimiser<Real>& optimiser() const { return *optimiser_; }
  // Where the time of the steps that follow is added; it must outlive this learner.
  void set_profile(Profile* profile) { training_tape_.set_profile(profile); }
  std::size_t memory_high_water() const { return arena_.high_water(); }  // bytes of one step

 private:
  Pass<Real> pass(Tape<Real>& tape, const Batch& batch, bool training, Index step);
  Var logits_of(Tape<Real>& tape, const Pass<Real>& pass, const Batch& batch);

  LearnerOptions options_;
  Registry registry_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<ParameterBlock<Real>> values_, grads_;
  std::unique_ptr<Optimiser<Real>> optimiser_;
  std::vector<std::uint64_t> streams_;
  std::vector<Var> vars_;
  Arena arena_;
  Tape<Real> training_tape_, evaluation_tape_;
  View<const Real> logits_;
  RowSpec data_;
};

extern template class Learner<float>;
extern template class Learner<double>;

}  // namespace attune
