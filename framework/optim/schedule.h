#pragma once

#include "base/fields.h"

namespace attune {

// The learning rate over a run, as a factor's rule: rises linearly over `warmup` steps, then
//   constant: stays;   cosine: falls towards final_lr, which it would have at the step behind the
//   last (Loshchilov & Hutter 2017, one cycle; PyTorch's CosineAnnealingLR).
struct ScheduleOptions {
  struct Warmup {
    Index warmup = 0;
    void fields(FieldList& f);
  };
  struct Cosine : Warmup {
    double final_lr = 0.0;
    void fields(FieldList& f);
  };

  std::string kind = "cosine";
  Warmup constant;
  Cosine cosine;

  void fields(FieldList& f);
};

// The rate of step `step` (0-based) of `steps`, for the optimiser's rate `lr`. Warm-up:
// lr·(step+1)/warmup.
double learning_rate(const ScheduleOptions& schedule, double lr, Index step, Index steps);

}  // namespace attune
