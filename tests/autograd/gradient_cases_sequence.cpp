// Recurrence, and parts of a sequence put together.
#include "tests/autograd/gradient_cases.h"

namespace attune::gradients {

void sequence_cases(Cases& cases) {
  for (const Ids& o : kOffsets) {
    for (const bool reverse : {false, true}) {
      const Index n = rows(o), b = examples(o), d = 3, h = 2;
      const auto inputs = [&] {
        return std::vector<CheckedInput>{input("x", {n, d}), input("w_ih", {3 * h, d}, 0.7),
                                         input("w_hh", {3 * h, h}, 0.7), input("b_ih", {3 * h}),
                                         input("b_hh", {3 * h})};
      };
      const std::string what = std::to_string(n) + " rows in " + std::to_string(b);
      const auto add = [&](int output, std::vector<CheckedInput> given) {
        const bool begins = given.size() > 5;
        cases["gru"].push_back(
            {what + ", output " + std::to_string(output), std::move(given),
             [=, &o](auto& t, auto v) {
               const Var first = begins ? v[5] : Var();
               const Var y = gru(t, v[0], {v[1], v[2], v[3], v[4]}, first, view(o), {reverse});
               return Tape<double>::output(y, output);
             }});
      };
      std::vector<CheckedInput> begun = inputs();
      begun.push_back(input("h0", {b, h}));
      add(0, begun);
      add(1, std::move(begun));
      if (n > 1) add(0, inputs());  // from zeros one row gives w_hh no gradient
    }
  }
  // More parts than the op has inputs, which are joined in two rounds.
  for (const std::size_t n_parts : {2, 3, 7, 8, 20}) {
    std::vector<CheckedInput> parts;
    for (std::size_t i = 0; i < n_parts; ++i)
      parts.push_back(input("part" + std::to_string(i), {1 + static_cast<Index>(i % 3), 2}));
    cases["concat_rows"].push_back({std::to_string(n_parts) + " parts", std::move(parts),
                                    [](auto& t, auto v) { return concat_rows(t, v); }});
  }
}

}  // namespace attune::gradients
