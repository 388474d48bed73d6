#include "datasets/images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "datasets/dataset_file.h"
#include "datasets/patch_cache.h"
#include "tensor/arena.h"

namespace attune {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

class Images final : public Dataset {
 public:
  Images(const ImagesOptions& options, const DataContext& context)
      : options_(options), patch_(context.patch), file_(*options.file) {
    const ImageTable& table = file_.table();
    parts_ =
        split_examples({table.label, table.group, table.split}, options.split, table.class_names);
    if (table.pixel_type == PixelType::float32) measure_gray();
    for (Split split : kSplits) {
      std::vector<Index> n_values;
      for (Index length : Dataset::n_tokens(split)) n_values.push_back(length * patch_ * patch_);
      cache_[static_cast<std::size_t>(split)] = PatchCache(n_values);
    }
  }

  Index patch() const override { return patch_; }
  const std::vector<std::string>& class_names() const override { return file_.table().class_names; }
  std::string sha256() const override { return file_.sha256(); }
  AugmentOptions augment() const override { return options_.augment; }
  Index n_examples(Split split) const override { return static_cast<Index>(part(split).size()); }

  Example example(Split split, Index i) const override {
    const ImageTable& table = file_.table();
    const Index id = part(split)[at(i)];
    const Grid grid = grid_of(id);
    return {id, table.group[at(id)], table.label[at(id)], grid.rows, grid.cols};
  }

  void write_patches(Split split, Index i, float* out) const override {
    cache_[static_cast<std::size_t>(split)].copy(i, out, [&](float* to) {
      const Index id = part(split)[at(i)];
      const Grid grid = grid_of(id);
      Scratch scratch;
      const auto native =
          scratch.view<float>({file_.table().height[at(id)], file_.table().width[at(id)]});
      const auto fitted = scratch.view<float>({grid.rows * patch_, grid.cols * patch_});
      file_.read_pixels(id, native.data());
      fit_to_grid(native, options_.resize.policy, black_of(native), fitted);
      cut_patches(fitted, patch_, centre_, scale_, to);
    });
  }

 private:
  const std::vector<Index>& part(Split split) const {
    return parts_[static_cast<std::size_t>(split)];
  }
  Grid grid_of(Index id) const {
    return patch_grid(file_.table().height[at(id)], file_.table().width[at(id)], patch_,
                      options_.resize);
  }

  // Where pixels are bytes black is 0; else the darkest pixel of the image, which in CT is air.
  float black_of(View<const float> image) const {
    return file_.table().pixel_type == PixelType::uint8
               ? 0.0F
               : *std::min_element(image.begin(), image.end());
  }

  void measure_gray() {
    double sum = 0, squares = 0, count = 0;
    for (Index id : part(Split::train)) {
      const auto [s, q] = file_.moments(id);
      sum += s;
      squares += q;
      count += static_cast<double>(file_.table().n_pixels(id));
    }
    const double mean = sum / count;
    const double variance = squares / count - mean * mean;
    centre_ = static_cast<float>(mean);
    scale_ = variance > 0 ? static_cast<float>(1 / std::sqrt(variance)) : 1.0F;
  }

  ImagesOptions options_;
  Index patch_;
  DatasetFile file_;
  SplitIndices parts_;
  float centre_ = 127.5F, scale_ = 4.0F / 255.0F;  // (x / 255 − ½) / ¼
  std::array<PatchCache, 3> cache_;
};

}  // namespace

void ImagesOptions::fields(FieldList& f) {
  f.path("file", file, Role::result, "dataset file, attune.dataset@1");
  f.group("split", split, "which images are trained on, chosen on and tested on");
  f.group("resize", resize, "from images to patches");
  f.group("augment", augment, "random changes of the training images");
  f.rule([this]() -> std::optional<Complaint> {
    if (file) return std::nullopt;
    return Complaint{
        "file", "file must name a dataset file", "attune import SOURCE -o FILE.h5 makes one", {}};
  });
}

std::unique_ptr<Dataset> ImagesOptions::open(const DataContext& context) const {
  ATTUNE_CHECK(file, DataError, "data.file must name a dataset file; attune import makes one");
  if (!std::filesystem::exists(*file)) {
    const bool known = std::filesystem::path(*file).filename() == "ct_covid.h5";
    throw DataError(fmt::format(
        "{} does not exist. {} makes it", *file,
        known ? "scripts/fetch_data ct-covid" : "attune import SOURCE -o FILE.h5 --labels CSV"));
  }
  return std::make_unique<Images>(*this, context);
}

}  // namespace attune
