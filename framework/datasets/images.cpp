#include "datasets/images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "datasets/dataset_file.h"
#include "datasets/patch_cache.h"
#include "tensor/arena.h"

namespace attune {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

constexpr GrayLaw kBytes = {127.5, 63.75};  // (x / 255 − ½) / ¼

// How the images of a file become examples.
struct Reading {
  ResizeOptions resize;
  AugmentOptions augment;
  Index patch;
  std::vector<std::string> class_names;
  std::vector<Index> label;  // of each image, a place in class_names
  SplitIndices parts;
  std::optional<GrayLaw> gray;  // none: pixels are bytes
};

class Images final : public ImageDataset {
 public:
  Images(std::shared_ptr<const DatasetFile> file, Reading reading)
      : file_(std::move(file)), reading_(std::move(reading)) {
    const GrayLaw law = reading_.gray.value_or(kBytes);
    centre_ = static_cast<float>(law.mean);
    scale_ = law.sd > 0 ? static_cast<float>(1 / law.sd) : 1.0F;
  }

  // Patches are kept from their first use on: for images that are read more than once.
  void keep_patches() {
    for (Split split : kSplits) {
      std::vector<Index> n_values;
      for (Index length : lengths(split)) n_values.push_back(length * patch() * patch());
      cache_[static_cast<std::size_t>(split)] = PatchCache(n_values);
    }
  }

  Index patch() const override { return reading_.patch; }
  const std::vector<std::string>& class_names() const override { return reading_.class_names; }
  std::string sha256() const override { return file_->sha256(); }
  std::optional<GrayLaw> gray() const override { return reading_.gray; }
  AugmentOptions augment() const override { return reading_.augment; }
  Index n_examples(Split split) const override { return static_cast<Index>(part(split).size()); }

  Example example(Split split, Index i) const override {
    const Index id = part(split)[at(i)];
    const Grid grid = grid_of(id);
    return {id, table().group[at(id)], reading_.label[at(id)], grid.rows, grid.cols};
  }

  ImageSize image_size(Split split, Index i) const override {
    const Index id = part(split)[at(i)];
    return {table().height[at(id)], table().width[at(id)]};
  }
  void read_image(Split split, Index i, View<float> out) const override {
    file_->read_pixels(part(split)[at(i)], out.data());
  }

  void write_patches(Split split, Index i, float* out) const override {
    cache_[static_cast<std::size_t>(split)].copy(i, out, [&](float* to) {
      const Index id = part(split)[at(i)];
      const Grid grid = grid_of(id);
      Scratch scratch;
      const auto native = scratch.view<float>({table().height[at(id)], table().width[at(id)]});
      const auto fitted = scratch.view<float>({grid.rows * patch(), grid.cols * patch()});
      file_->read_pixels(id, native.data());
      fit_to_grid(native, reading_.resize.policy, black_of(native), fitted);
      cut_patches(fitted, patch(), centre_, scale_, to);
    });
  }

 private:
  const ImageTable& table() const { return file_->table(); }
  const std::vector<Index>& part(Split split) const {
    return reading_.parts[static_cast<std::size_t>(split)];
  }
  Grid grid_of(Index id) const {
    return patch_grid(table().height[at(id)], table().width[at(id)], patch(), reading_.resize);
  }
  // Where pixels are bytes black is 0; else the darkest pixel of the image, which in CT is air.
  float black_of(View<const float> image) const {
    return reading_.gray ? *std::min_element(image.begin(), image.end()) : 0.0F;
  }

  std::shared_ptr<const DatasetFile> file_;
  Reading reading_;
  float centre_, scale_;
  std::array<PatchCache, 3> cache_;
};

GrayLaw measured_gray(const DatasetFile& file, const std::vector<Index>& images) {
  double sum = 0, squares = 0, count = 0;
  for (Index id : images) {
    const auto [s, q] = file.moments(id);
    sum += s;
    squares += q;
    count += static_cast<double>(file.table().n_pixels(id));
  }
  const double mean = sum / count;
  return {mean, std::sqrt(std::max(0.0, squares / count - mean * mean))};
}

std::string how_made(const std::optional<std::string>& path) {
  if (path && std::filesystem::path(*path).filename() == "ct_covid.h5")
    return "scripts/fetch_data ct-covid makes it";
  return "attune import SOURCE -o FILE.h5 --labels CSV makes one of a folder of images";
}

}  // namespace

void ImagesOptions::fields(FieldList& f) {
  f.path("file", file, Role::result, "dataset file, attune.dataset@1");
  f.group("split", split, "which images are trained on, chosen on and tested on");
  f.group("resize", resize, "from images to patches");
  f.group("augment", augment, "random changes of the training images");
  f.rule([this] { return require_name(file); });
}

std::unique_ptr<Dataset> ImagesOptions::open(const DataContext& context) const {
  const std::shared_ptr<const DatasetFile> opened = opened_.open(
      file, how_made(file), [&] { return std::make_shared<const DatasetFile>(*file); });
  const ImageTable& table = opened->table();
  Reading reading{resize, augment, context.patch, table.class_names, {}, {}, {}};
  reading.label.assign(table.label.begin(), table.label.end());
  require_every_class(*file, table, "image");
  reading.parts = split_examples({table.label, table.group, table.split}, split, table.class_names,
                                 context.fold);
  if (table.pixel_type == PixelType::float32)
    reading.gray = measured_gray(*opened, reading.parts[static_cast<std::size_t>(Split::train)]);
  auto images = std::make_unique<Images>(opened, std::move(reading));
  images->keep_patches();
  return images;
}

std::unique_ptr<Dataset> ImagesOptions::open_other(const std::string& path, Index patch,
                                                   const TrainedOn& trained) const {
  return open_other_images(path, resize, patch, trained);
}

std::unique_ptr<Dataset> open_other_images(const std::string& path, const ResizeOptions& resize,
                                           Index patch, const TrainedOn& trained) {
  const std::string what = why_no_dataset(path);
  ATTUNE_CHECK(what.empty(), DataError, "{}. {}", what, how_made(path));
  auto file = std::make_unique<DatasetFile>(path);
  const ImageTable& table = file->table();
  const bool bytes = table.pixel_type == PixelType::uint8;
  ATTUNE_CHECK(bytes != trained.gray.has_value(), DataError,
               "{}: its pixels are {}, and the model was trained on {}; the same gray has another "
               "value in the two. Import the images as those of the run were",
               path, bytes ? "uint8" : "float32", bytes ? "float32" : "uint8");
  Reading reading{resize, {}, patch, trained.class_names, {}, {}, trained.gray};
  reading.label = labels_by_name(path, table, trained.class_names, "images");
  auto& all = reading.parts[static_cast<std::size_t>(Split::test)];
  all.resize(at(table.size()));
  std::iota(all.begin(), all.end(), Index{0});
  return std::make_unique<Images>(std::move(file), std::move(reading));
}

}  // namespace attune
