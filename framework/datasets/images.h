#pragma once

#include "datasets/data_kinds.h"
#include "datasets/resize.h"
#include "datasets/split.h"

namespace attune {

// Images of a dataset file, at their own aspect ratio. Gray values become about −2 … 2: uint8
// pixels by (x / 255 − ½) / ¼, the same for every file; float32 pixels, whose range nobody knows,
// by mean and standard deviation over the pixels of the training split. An example's id is its row
// in the file.
struct ImagesOptions : DataOptions {
  std::optional<std::string> file;
  SplitOptions split;
  ResizeOptions resize;
  AugmentOptions augment;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
