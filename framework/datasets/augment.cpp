#include "datasets/augment.h"

#include <algorithm>

#include "tensor/arena.h"

namespace attune {

void AugmentOptions::fields(FieldList& f) {
  f.boolean("flip", flip, Role::result,
            "mirrors each training image left to right with probability 1/2, anew at each step");
  f.real("shift", shift, {0, 0.5}, Role::result,
         "moves each training image by up to this share of its height and of its width");
}

Augmentation Augmenter::draw(Index step, Index example, Index height, Index width) const {
  const auto a = static_cast<std::uint32_t>(example), b = static_cast<std::uint32_t>(step);
  const auto shift_of = [&](Index side, std::uint64_t element) {
    const auto most = static_cast<Index>(options_.shift * static_cast<double>(side));
    return Index{stream_.below(static_cast<std::uint32_t>(2 * most + 1), element, a, b)} - most;
  };
  return {options_.flip && stream_.uniform(0, a, b) < 0.5, shift_of(height, 1), shift_of(width, 2)};
}

void augment(const Augmentation& what, Index rows, Index cols, Index patch, const float* in,
             float* out) {
  const Index height = rows * patch, width = cols * patch;
  // Where an output row, and an output column, begins in `in`.
  Scratch scratch;
  const auto row_at = scratch.view<Index>({height}), col_at = scratch.view<Index>({width});
  for (Index y = 0; y < height; ++y) {
    const Index from = std::clamp(y - what.down, Index{0}, height - 1);
    row_at[y] = (from / patch * cols * patch + from % patch) * patch;
  }
  for (Index x = 0; x < width; ++x) {
    const Index moved = std::clamp(x - what.right, Index{0}, width - 1);
    const Index from = what.flip ? width - 1 - moved : moved;
    col_at[x] = from / patch * patch * patch + from % patch;
  }
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c)
      for (Index y = r * patch; y < (r + 1) * patch; ++y)
        for (Index x = c * patch; x < (c + 1) * patch; ++x) *out++ = in[row_at[y] + col_at[x]];
}

}  // namespace attune
