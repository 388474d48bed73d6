#pragma once

#include "base/fields.h"
#include "tensor/view.h"

namespace attune {

// How an image becomes a grid of patches; the keys under `resize`.
struct ResizeOptions {
  enum class Policy { native, stretch, crop, pad };
  Policy policy = Policy::native;
  std::optional<Index> max_tokens;
  void fields(FieldList& f);
};

struct Grid {
  Index rows = 0, cols = 0;
  bool operator==(const Grid&) const = default;
};

// The grid that an image gets, at most max_tokens patches under every policy.
// native: the largest grid of P × P patches that keeps the aspect ratio within N tokens
// (Lee et al. 2023, Pix2Struct, section 2: s = √(N · P/h · P/w), rows = ⌊s·h/P⌋, cols = ⌊s·w/P⌋),
// with s ≤ 1, so that nothing is enlarged. The ratio is kept to whole patches, which is coarse for
// small N: 200 × 150 at P 16, N 4 becomes 2 × 1. A side shorter than a patch becomes one patch, and
// the other side is then cut to N. stretch, crop, pad: s × s patches for every image, s = ⌊√N⌋;
// ConfigError without N.
Grid patch_grid(Index height, Index width, Index patch, const ResizeOptions& options);

// An image as its policy has it; in [h, w], out [rows·patch, cols·patch] of its grid.
//   native, stretch: the whole image, each axis by its own factor (native's differ by rounding)
//   crop: the largest square in the middle, ⌊(h − w)/2⌋ rows or columns lost at the top or left
//   pad: the longer side fills the grid, the other one is scaled alike and rounded to a pixel, the
//        image in the middle; the rest is `black`, as around a scanned body, so that what is padded
//        looks like what radiographs have there already. Its patches are tokens like any other.
// Small images are enlarged by all but native: one input size is what those policies are for.
void fit_to_grid(View<const float> in, ResizeOptions::Policy policy, float black, View<float> out);

// Separable resampling with a triangle filter as wide as the larger of the two pixel pitches: an
// antialiased mean where the image shrinks, bilinear where it grows; pixel centres at (i + ½)/n.
// Constants are kept exactly to rounding. in [h, w], out [h', w'], each at least 1 × 1.
void resize(View<const float> in, View<float> out);

// Values in raster order of patches, each row-major: in [rows·patch, cols·patch] → out
// [rows·cols, patch²], out = (in − centre) · scale.
void cut_patches(View<const float> in, Index patch, float centre, float scale, float* out);

}  // namespace attune
