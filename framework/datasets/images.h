#pragma once

#include "datasets/data_kinds.h"
#include "datasets/dataset_file.h"
#include "datasets/open_file.h"
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
  FoldPlan folds() const override { return {split.n_folds(), split.folds()}; }
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;

 private:
  // Hashing takes a pass over all pixels.
  KeptFile<DatasetFile> opened_;
};

// All images of a dataset file as the test split, for a model trained elsewhere (see DataOptions).
// DataError when it holds a class that the model does not know, or pixels of the other type: bytes
// and physical units are not each other's grays.
std::unique_ptr<Dataset> open_other_images(const std::string& path, const ResizeOptions& resize,
                                           Index patch, const TrainedOn& trained);

}  // namespace attune
