#include "autograd/absent.h"

#include <map>
#include <numeric>

namespace attune::absent {
namespace {

using Ids = std::vector<std::int32_t>;
using Shapes = std::span<const Shape>;
using Indices = std::span<const Ids>;

std::size_t rows(const Shape& shape) { return static_cast<std::size_t>(shape[0]); }

Ids counted(std::size_t n) {
  Ids ids(n);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

template <std::size_t input>
Ids one_sequence_of(Shapes inputs, Indices) {
  return {0, static_cast<std::int32_t>(inputs[input][0])};
}

// Of each row, the number of rows before it that are of the same example.
template <std::size_t examples>
Ids places(Shapes, Indices indices) {
  std::map<std::int32_t, std::int32_t> seen;
  Ids ids;
  for (const std::int32_t example : indices[examples]) ids.push_back(seen[example]++);
  return ids;
}

// How many rows an array of bounds has, such as offsets.
std::size_t bounded(const Ids& bounds) { return bounds.empty() ? 0 : bounds.size() - 1; }

}  // namespace

const Absent one_sequence{"0, n: one sequence", one_sequence_of<0>};
const Absent one_sequence_of_second{"0, n: one sequence", one_sequence_of<1>};
const Absent numbered_sequences{
    "0 … B−1", [](Shapes, Indices indices) { return counted(bounded(indices[0])); }};
const Absent numbered_rows{"0 … n−1",
                           [](Shapes inputs, Indices) { return counted(rows(inputs[0])); }};
const Absent one_example{"0: all of one example",
                         [](Shapes inputs, Indices) { return Ids(rows(inputs[0])); }};
const Absent place_in_example{"0, 1, … within each example", places<0>};
const Absent one_example_of_bounded{
    "0: all of one example", [](Shapes, Indices indices) { return Ids(bounded(indices[0])); }};
const Absent place_in_bounded{"0, 1, … within each example", places<2>};

}  // namespace attune::absent
