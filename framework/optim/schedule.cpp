#include "optim/schedule.h"

#include <algorithm>
#include <numbers>

#include "kernels/math.h"

namespace attune {

void ScheduleOptions::Warmup::fields(FieldList& f) {
  f.integer("warmup", warmup, {0, 1e9}, Role::result, "steps of linear rise from 0");
}

void ScheduleOptions::Cosine::fields(FieldList& f) {
  Warmup::fields(f);
  f.real("final_lr", final_lr, {0.0, 100.0}, Role::result,
         "learning rate that the run's end falls to");
}

void ScheduleOptions::fields(FieldList& f) {
  f.variant("schedule", kind,
            {FieldList::alternative("constant", "the optimiser's rate throughout", constant),
             FieldList::alternative("cosine", "half a cosine down to final_lr", cosine)},
            "learning rate over the steps");
}

double learning_rate(const ScheduleOptions& schedule, double lr, Index step, Index steps) {
  const bool falls = schedule.kind == "cosine";
  const Index warmup = falls ? schedule.cosine.warmup : schedule.constant.warmup;
  if (step < warmup) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (!falls) return lr;
  const Index span = std::max<Index>(1, steps - warmup);
  const double done = static_cast<double>(step - warmup) / static_cast<double>(span);
  const double low = schedule.cosine.final_lr;
  return low + (lr - low) * 0.5 * (1.0 + kernels::cos(std::numbers::pi * done));
}

}  // namespace attune
