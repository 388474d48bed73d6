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

}  // namespace

const Absent one_sequence{"0, n: one sequence", one_sequence_of<0>};
const Absent one_sequence_of_second{"0, n: one sequence", one_sequence_of<1>};
const Absent numbered_sequences{"0 … B−1", [](Shapes, Indices indices) {
                                  return counted(indices[0].empty() ? 0 : indices[0].size() - 1);
                                }};
const Absent numbered_rows{"0 … n−1",
                           [](Shapes inputs, Indices) { return counted(rows(inputs[0])); }};
const Absent one_example{"0: all of one example",
                         [](Shapes inputs, Indices) { return Ids(rows(inputs[0])); }};
const Absent place_in_example{"0, 1, … within each example", [](Shapes, Indices indices) {
                                std::map<std::int32_t, std::int32_t> seen;
                                Ids places;
                                for (const std::int32_t example : indices[0])
                                  places.push_back(seen[example]++);
                                return places;
                              }};

}  // namespace attune::absent
