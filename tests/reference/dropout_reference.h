#pragma once

#include <cmath>
#include <cstdint>

#include "base/philox.h"

namespace attune::testing {

// The mask, word for word from its definition: of (head, row, column) in example e at step t,
//   instance = column/64·8 + (column mod 16)/2, counter = {head << 20 | instance, row, e, t},
//   b = (column/16) mod 4, l = column mod 16, draw = half (b mod 2) of word 2·(b/2) + l mod 2,
// and the element is kept iff draw ≥ round(65536 p).
inline bool kept(std::uint64_t key, double p, std::uint32_t head, std::uint32_t row,
                 std::uint32_t column, std::uint32_t example, std::uint32_t step) {
  const std::uint32_t instance = column / 64 * 8 + column % 16 / 2;
  const auto words = philox({head << 20 | instance, row, example, step}, key);
  const std::uint32_t b = column / 16 % 4, l = column % 16;
  const std::uint32_t word = words[2 * (b / 2) + l % 2];
  const std::uint32_t draw = b % 2 == 0 ? word & 0xFFFF : word >> 16;
  return draw >= static_cast<std::uint32_t>(std::lround(65536 * p));
}

}  // namespace attune::testing
