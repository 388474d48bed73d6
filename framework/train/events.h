#pragma once

#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/shape.h"

namespace attune {

// What a running trial tells whoever watches: train emits, cli prints. Nothing of it reaches a
// file. A Stepped is sent every step and owns no memory; the others are rare. Trials that run side
// by side are told apart by `trial`, 1-based.

// Full metric names with their values, "val/loss" → 0.21, in the order in which they are shown.
using ShownMetrics = std::vector<std::pair<std::string, double>>;

struct TrialStarted {
  Index trial = 1, n_trials = 1;
  std::string stem;     // "reference-s0-4c1e0aa2"
  Index from_step = 0;  // above 0: resumed there
  Index n_steps = 0;
};

struct Stepped {
  Index trial = 1;
  Index step = 0;   // steps done
  double loss = 0;  // training loss of that step
};

struct Evaluated {
  Index trial = 1;
  Index step = 0;
  ShownMetrics metrics;
};

struct Checkpointed {
  Index trial = 1;
  Index step = 0;
};

struct TrialEnded {
  enum class How { finished, diverged, stopped, failed };
  Index trial = 1;
  How how = How::finished;
  Index step = 0;      // steps done in all
  double seconds = 0;  // of this process, steps and evaluations
  ShownMetrics final;  // at the chosen step
  std::string why;     // diverged, stopped, failed: a sentence
};

// Something that people should know, once: "made by another build: restarted".
struct Notice {
  std::string text;
};

using Event = std::variant<TrialStarted, Stepped, Evaluated, Checkpointed, TrialEnded, Notice>;
using EventSink = std::function<void(const Event&)>;

}  // namespace attune
