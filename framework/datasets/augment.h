#pragma once

#include <cstdint>

#include "base/fields.h"
#include "base/philox.h"
#include "base/shape.h"

namespace attune {

// Random changes of training images that leave their class as it is; the keys under `augment`.
struct AugmentOptions {
  bool flip = false;
  double shift = 0;

  bool any() const { return flip || shift > 0; }
  void fields(FieldList& f);
};

// What happens to one image in one step.
struct Augmentation {
  bool flip = false;          // left-right; never top-bottom, which a scan's patient does not allow
  Index down = 0, right = 0;  // pixels that it moves, after the flip
};

// Draws and applies augmentations. A draw is a function of (seed, step, example) alone, so that
// packing, threads and resuming never move it: elements 0 (flip), 1 (down) and 2 (right) of
// Stream(seed, "augment", "image") at coordinates (example id, step).
class Augmenter {
 public:
  Augmenter(const AugmentOptions& options, std::uint64_t seed)
      : options_(options), stream_(seed, "augment", "image") {}
  bool any() const { return options_.any(); }

  // Shifts are uniform on −m … m, m = ⌊shift · side⌋ for either side of the image in pixels.
  Augmentation draw(Index step, Index example, Index height, Index width) const;

 private:
  AugmentOptions options_;
  Stream stream_;
};

// An image in patches, rows × cols of them, each patch² values, changed: in, out
// [rows · cols, patch²]. Pixels that come from beyond a border are those at the border: black ones
// would be an edge that the image does not have.
void augment(const Augmentation& what, Index rows, Index cols, Index patch, const float* in,
             float* out);

}  // namespace attune
