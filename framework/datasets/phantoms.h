#pragma once

#include "base/philox.h"
#include "datasets/data_kinds.h"
#include "datasets/resize.h"

namespace attune {

// Procedural images of varying size and aspect ratio that hold one bright ellipse, the lesion. Its
// class is its true shape, "round" or "elongated", by a geometry in which neither the image's size
// nor a copy stretched to a square says anything about the class:
//   A = log(width / height) has a random sign and |A| in log(aspect); in pixels the lesion has
//   log axis ratio E = 0 when round and E = 2A, along the image's long side, when elongated;
//   in a copy stretched to a square that is S = E − A = −A or +A. A's sign is a fair coin that the
//   label knows nothing of, hence S has one law for both labels, and so has (A): only the two
//   together, which is to say the image at its own aspect ratio, give the label.
// All else is drawn in normalised coordinates (u, v) = (x / width, y / height) by laws that are the
// same for both labels: the lesion's share of the area, its centre (far enough from the borders for
// either shape), and a background of smooth random fields and faint round distractors. There is no
// noise by pixel, which resampling would smooth by different amounts along the two axes.
// Pixels are made by + − × ÷ √ alone, no libm: f(data.seed, split, index).
// A mirror image of a phantom is a phantom of the same class: every law above is symmetric.
struct PhantomsOptions : DataOptions {
  Index n_train = 1024, n_val = 256, n_test = 512;
  Index min_side = 24, max_side = 96;             // pixels
  std::vector<double> aspect = {1.5, 2.5};        // long side / short side, from and to
  std::vector<double> lesion_area = {0.06, 0.2};  // share of the image, from and to
  double contrast = 0.4;                          // lesion over background, of the gray range
  double noise = 0.1;                             // amplitude of background and distractors
  std::optional<Index> seed;                      // null: the run's
  ResizeOptions resize;
  AugmentOptions augment;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;
};

// What is drawn of a phantom: its size in pixels, all else in normalised coordinates.
struct Phantom {
  Index id = 0, label = 0;  // label 0 round, 1 elongated
  Index height = 0, width = 0;
  double u = 0, v = 0;                // centre of the lesion
  double radius_u = 0, radius_v = 0;  // its half axes
};

// Draws and paints phantoms; every call is a function of (options, seed, split, i).
class PhantomPainter {
 public:
  PhantomPainter(const PhantomsOptions& options, std::uint64_t seed);
  Phantom draw(Split split, Index i) const;
  // Gray values, mostly within 0 … 1; out [height, width] of draw(split, i).
  void paint(Split split, Index i, View<float> out) const;

 private:
  PhantomsOptions options_;
  Stream geometry_, labels_;
};

}  // namespace attune
