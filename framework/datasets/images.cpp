#include "datasets/images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/text.h"
#include "datasets/dataset_file.h"
#include "datasets/patch_cache.h"
#include "h5/h5.h"
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
      for (Index length : n_tokens(split)) n_values.push_back(length * patch() * patch());
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

// The place of each image's class among the classes that a model knows.
std::vector<Index> labels_by_name(const std::string& path, const ImageTable& table,
                                  const std::vector<std::string>& known) {
  std::vector<Index> place;
  for (const std::string& name : table.class_names)
    place.push_back(std::find(known.begin(), known.end(), name) - known.begin());
  std::vector<Index> labels;
  std::vector<std::string> unknown;
  for (const std::int32_t own : table.label) {
    labels.push_back(place[at(own)]);
    const std::string& name = table.class_names[at(own)];
    if (labels.back() == static_cast<Index>(known.size()) &&
        std::find(unknown.begin(), unknown.end(), name) == unknown.end())
      unknown.push_back(name);
  }
  ATTUNE_CHECK(unknown.empty(), DataError,
               "{}: has images of {}, which the model was not trained on; it knows {}. Classes are "
               "found by their names in /class_names: rename them there, or leave these images out",
               path, join(unknown), join(known));
  return labels;
}

// Empty where it may be one; what is in it, the reader says.
std::string why_no_dataset(const std::string& path) {
  if (!std::filesystem::exists(path)) return path + " does not exist";
  if (std::filesystem::is_directory(path)) return path + " is a folder, no dataset file";
  return H5File::recognises(path) ? "" : path + " is no HDF5 file, which a dataset file is";
}

std::string how_made(const std::string& path) {
  if (std::filesystem::path(path).filename() == "ct_covid.h5")
    return "scripts/fetch_data ct-covid makes it";
  return "attune import SOURCE -o FILE.h5 --labels CSV makes one of a folder of images";
}

// A model cannot learn a name that nothing has; a file may list it, for a model that knows it.
void require_every_class(const std::string& path, const ImageTable& table) {
  std::vector<bool> seen(table.class_names.size());
  for (const std::int32_t label : table.label) seen[at(label)] = true;
  std::vector<std::string> empty;
  for (std::size_t c = 0; c < seen.size(); ++c)
    if (!seen[c]) empty.push_back(fmt::format("'{}'", table.class_names[c]));
  if (empty.empty()) return;
  const bool one = empty.size() == 1;
  throw KeyedDataError(
      {"data.file",
       fmt::format("{} {} of /class_names {} no image in {}", one ? "class" : "classes",
                   join(empty), one ? "has" : "have", path),
       fmt::format(
           "Remove the name{} from /class_names, and number /label anew where others follow",
           one ? "" : "s"),
       {}});
}

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
  if (const std::string what = why_no_dataset(*file); !what.empty())
    throw KeyedDataError({"data.file", what, how_made(*file), {}});
  if (!opened_ || opened_path_ != *file) {
    try {
      opened_ = std::make_shared<const DatasetFile>(*file);
    } catch (const DataError& error) {
      throw KeyedDataError(
          {"data.file", error.what(), "`attune check` says so of any dataset file", {}});
    }
  }
  opened_path_ = *file;
  const ImageTable& table = opened_->table();
  Reading reading{resize, augment, context.patch, table.class_names, {}, {}, {}};
  reading.label.assign(table.label.begin(), table.label.end());
  require_every_class(*file, table);
  reading.parts = split_examples({table.label, table.group, table.split}, split, table.class_names,
                                 context.fold);
  if (table.pixel_type == PixelType::float32)
    reading.gray = measured_gray(*opened_, reading.parts[static_cast<std::size_t>(Split::train)]);
  auto images = std::make_unique<Images>(opened_, std::move(reading));
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
  reading.label = labels_by_name(path, table, trained.class_names);
  auto& all = reading.parts[static_cast<std::size_t>(Split::test)];
  all.resize(at(table.size()));
  std::iota(all.begin(), all.end(), Index{0});
  return std::make_unique<Images>(std::move(file), std::move(reading));
}

}  // namespace attune
