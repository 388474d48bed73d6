#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "autograd/gradient_check.h"
#include "autograd/ops.h"

// What the lists of gradient cases are written with; gradients_test.cpp checks them.
namespace attune::gradients {

using Ids = std::vector<std::int32_t>;

inline View<const std::int32_t> view(const Ids& v) {
  static const std::int32_t kNothing = 0;
  return {v.empty() ? &kNothing : v.data(), {static_cast<Index>(v.size())}};
}

// The same numbers in the tape's memory, where backward still finds them.
inline View<const std::int32_t> kept(Tape<double>& t, const Ids& v) {
  const auto copy = t.arena().view<std::int32_t>({static_cast<Index>(v.size())});
  std::copy(v.begin(), v.end(), copy.begin());
  return copy;
}

struct Case {
  std::string what;
  std::vector<CheckedInput> inputs;
  std::function<Var(Tape<double>&, std::span<const Var>)> f;
  std::set<std::string> flat = {};  // inputs that the mathematics gives no gradient
};

// Rows by example: each includes one example alone, odd lengths and examples without rows.
inline const std::vector<Ids> kOffsets = {
    {0, 1}, {0, 3, 3, 8}, {0, 0, 7}, {0, 5, 6, 13, 13}, {0, 17}};
inline const std::vector<Shape> kMatrices = {{1, 1}, {3, 5}, {7, 16}, {5, 33}, {2, 70}};

inline Index rows(const Ids& offsets) { return offsets.back(); }
inline Index examples(const Ids& offsets) { return static_cast<Index>(offsets.size()) - 1; }

inline CheckedInput input(const std::string& name, const Shape& shape, double scale = 1.5) {
  return random_input(name, shape, 7, scale);
}

// Coordinates of packed rows: examples 40, 41, … of three rows each.
inline RowCoordinates coordinates(Tape<double>& t, Index n) {
  Ids example, token;
  for (Index i = 0; i < n; ++i) {
    example.push_back(static_cast<std::int32_t>(40 + i / 3));
    token.push_back(static_cast<std::int32_t>(i % 3));
  }
  return {kept(t, example), kept(t, token)};
}

using Cases = std::map<std::string, std::vector<Case>>;  // by op

// Cases of ops on graphs, sparse rows, and rows and columns put together
// (gradient_cases_graph.cpp).
void graph_cases(Cases& cases);
// Recurrence, and parts put together (gradient_cases_sequence.cpp).
void sequence_cases(Cases& cases);

}  // namespace attune::gradients
