#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"

namespace attune {

// One leaf of the function under test.
struct CheckedInput {
  std::string name;
  Shape shape;
  std::vector<double> values;
};

struct GradientCheck {
  struct Entry {
    std::string name;
    // Largest |numeric − analytic|, over the largest magnitude in either gradient.
    double worst = 0;
    double gradient_norm = 0;  // analytic; zero would make the check worthless
  };
  std::vector<Entry> entries;
  double worst() const;
  double smallest_norm() const;
};

// Compares the tape's gradients of Σ r·y, with random r fixed by `seed`, with central differences
// of step h·max(1, |x|), in double. A plain sum would hide errors of softmax-like ops, whose
// gradient under it is zero. `f` builds its output on a fresh tape from the leaves alone.
GradientCheck check_gradients(const std::function<Var(Tape<double>&, std::span<const Var>)>& f,
                              std::vector<CheckedInput> inputs, double h = 1e-5,
                              std::uint64_t seed = 1);

// Values uniform in (−scale, scale), a function of seed and name.
CheckedInput random_input(std::string name, const Shape& shape, std::uint64_t seed,
                          double scale = 1.0);

}  // namespace attune
