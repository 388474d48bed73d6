#pragma once

#include "base/fields.h"

namespace attune {

// The learning rate over a run, as a factor's rule: rises linearly over `warmup` steps, then
//   constant       stays
//   linear         falls by a line towards final_lr, which it would have at the step behind the
//   last cosine         falls alike by half a cosine (Loshchilov & Hutter 2017, one cycle;
//   PyTorch's
//                  CosineAnnealingLR)
//   inverse_sqrt   falls as 1/√step, whatever the length of the run (Vaswani et al. 2017, 5.3)
struct ScheduleOptions {
  struct Warmup {
    Index warmup = 0;
    void fields(FieldList& f);
  };
  struct Falling : Warmup {
    double final_lr = 0.0;
    void fields(FieldList& f);
  };

  std::string kind = "cosine";
  Warmup constant, inverse_sqrt;
  Falling linear, cosine;

  void fields(FieldList& f);
};

// The rate of step `step` (0-based) of `steps`, for the optimiser's rate `lr`. Warm-up:
// lr·(step+1)/warmup; inverse_sqrt then is lr·√(warmup/(step+1)), of a warm-up of at least 1.
double learning_rate(const ScheduleOptions& schedule, double lr, Index step, Index steps);

}  // namespace attune
