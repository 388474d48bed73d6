#pragma once

#include "base/fields.h"
#include "tensor/view.h"

namespace attune {

// How an image becomes a grid of patches; the keys under `resize`.
struct ResizeOptions {
  enum class Policy { native };
  Policy policy = Policy::native;
  std::optional<Index> max_tokens;
  void fields(FieldList& f);
};

struct Grid {
  Index rows = 0, cols = 0;
  bool operator==(const Grid&) const = default;
};

// Policy native: the largest grid of P × P patches that keeps the aspect ratio within N tokens
// (Lee et al. 2023, Pix2Struct, section 2: s = √(N · P/h · P/w), rows = ⌊s·h/P⌋, cols = ⌊s·w/P⌋),
// with s ≤ 1, so that nothing is enlarged. A side shorter than a patch becomes one patch, and the
// other side is then cut to N.
Grid patch_grid(Index height, Index width, Index patch, const ResizeOptions& options);

// Separable resampling with a triangle filter as wide as the larger of the two pixel pitches: an
// antialiased mean where the image shrinks, bilinear where it grows; pixel centres at (i + ½)/n.
// Constants are kept exactly to rounding. in [h, w], out [h', w'], each at least 1 × 1.
void resize(View<const float> in, View<float> out);

// Values in raster order of patches, each row-major: in [rows·patch, cols·patch] → out
// [rows·cols, patch²], out = (in − centre) · scale.
void cut_patches(View<const float> in, Index patch, float centre, float scale, float* out);

}  // namespace attune
