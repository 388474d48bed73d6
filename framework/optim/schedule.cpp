#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/math.h"

namespace attune {

void ScheduleOptions::Warmup::fields(FieldList& f) {
  f.integer("warmup", warmup, {0, 1e9}, Role::result, "steps of linear rise from 0");
}

void ScheduleOptions::Falling::fields(FieldList& f) {
  Warmup::fields(f);
  f.real("final_lr", final_lr, {0.0, 100.0}, Role::result,
         "learning rate that the run's end falls to");
}

void ScheduleOptions::fields(FieldList& f) {
  f.variant("schedule", kind,
            {FieldList::alternative("constant", "the optimiser's rate throughout", constant),
             FieldList::alternative("linear", "a line down to final_lr", linear),
             FieldList::alternative("cosine", "half a cosine down to final_lr", cosine),
             FieldList::alternative("inverse_sqrt", "falls as one over the root of the step",
                                    inverse_sqrt)},
            "learning rate over the steps");
}

double learning_rate(const ScheduleOptions& schedule, double lr, Index step, Index steps) {
  const bool by_root = schedule.kind == "inverse_sqrt", by_line = schedule.kind == "linear";
  const bool falls = by_line || schedule.kind == "cosine";
  const ScheduleOptions::Falling& falling = by_line ? schedule.linear : schedule.cosine;
  const Index warmup = falls     ? falling.warmup
                       : by_root ? schedule.inverse_sqrt.warmup
                                 : schedule.constant.warmup;
  if (step < warmup) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (by_root)
    return lr * std::sqrt(static_cast<double>(std::max<Index>(1, warmup)) /
                          static_cast<double>(step + 1));
  if (!falls) return lr;
  const Index span = std::max<Index>(1, steps - warmup);
  const double done = static_cast<double>(step - warmup) / static_cast<double>(span);
  const double left = by_line ? 1.0 - done : 0.5 * (1.0 + kernels::cos(std::numbers::pi * done));
  return falling.final_lr + (lr - falling.final_lr) * left;
}

}  // namespace attune
