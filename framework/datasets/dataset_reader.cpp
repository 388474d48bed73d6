#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <optional>

#include "base/text.h"
#include "datasets/dataset_checks.h"
#include "datasets/dataset_file.h"
#include "datasets/dataset_hash.h"
#include "datasets/graph_file.h"
#include "datasets/pair_file.h"
#include "datasets/token_file.h"
#include "datasets/vector_file.h"
#include "h5/h5.h"

namespace attune {
namespace {

constexpr Index kBlock = Index{1} << 20;  // pixels read at once by the pass over a file
// Deflate shrinks by at most 1032; a file that claims more does not hold what it says.
constexpr double kMaxRatio = 2000;

}  // namespace

struct DatasetFile::State {
  explicit State(const std::string& path_) : path(path_) {}

  void load(std::vector<std::string>& faults);
  void read_table(DatasetChecker& check);
  void check_offsets(DatasetChecker& check) const;
  void pass_over_pixels(DatasetChecker& check);
  template <class T>
  void pass(DatasetChecker& check, DatasetHash& hash);

  std::string path;
  std::optional<H5File> file;
  std::mutex mutex;  // HDF5 takes one caller at a time
  ImageTable table;
  std::vector<Index> offsets;
  std::vector<Moments> moments;
  std::string sha256;
};

void DatasetFile::State::load(std::vector<std::string>& faults) {
  try {
    file.emplace(H5File::open(path));
    DatasetChecker check(path, file->root(), "images need pixels, offsets, height, width and label",
                         faults);
    read_table(check);
    if (check.good()) check_offsets(check);
    if (check.good()) pass_over_pixels(check);
  } catch (const Error& error) {
    faults.emplace_back(error.what());
  }
}

void DatasetFile::State::read_table(DatasetChecker& check) {
  check.attribute_is("schema", "attune.dataset@1", "it is no dataset of this version");
  check.attribute_is("kind", "images", "data.kind=images reads images only");
  const H5Group& root = file->root();
  if (root.has_dataset("depth"))
    check.fault("/depth says that it holds volumes: import them as slices");

  const auto pixels = check.shape("pixels", {-1}, true);
  if (pixels) {
    if (pixels->type != H5Type::uint8 && pixels->type != H5Type::float32)
      check.fault("/pixels holds {} and must hold uint8 or float32", name_of(pixels->type));
    table.pixel_type = pixels->type == H5Type::uint8 ? PixelType::uint8 : PixelType::float32;
    const double bytes =
        static_cast<double>(pixels->size()) * (pixels->type == H5Type::uint8 ? 1 : 4);
    const auto stored = static_cast<double>(std::filesystem::file_size(path));
    if (bytes > kMaxRatio * stored)
      check.fault("/pixels claims {} values, which a file of {} bytes cannot hold", pixels->size(),
                  stored);
  }
  const auto height = check.shape("height", {-1}, true);
  if (!height) return;
  const Index n = height->dims[0];
  if (n == 0) check.fault("/height is empty: there is no image");

  table.height = check.column<std::int32_t>("height", {n}, true);
  table.width = check.column<std::int32_t>("width", {n}, true);
  table.spacing = check.column<float>("spacing", {n, 2}, false);
  offsets = check.column<Index>("offsets", {n + 1}, true);

  const auto positive = [](std::int32_t x) { return x > 0; };
  check.each("height", table.height, "at least 1", positive);
  check.each("width", table.width, "at least 1", positive);
  check.columns(n, true, table);
  check.each("spacing", table.spacing, "above 0, in mm, or NaN where unknown",
             [](float x) { return std::isnan(x) || (x > 0 && std::isfinite(x)); });
}

void DatasetFile::State::check_offsets(DatasetChecker& check) const {
  if (offsets[0] != 0) return check.fault("/offsets[0] is {} and must be 0", offsets[0]);
  for (Index i = 0; i < table.size(); ++i) {
    const Index from = offsets[static_cast<std::size_t>(i)],
                to = offsets[static_cast<std::size_t>(i) + 1];
    if (to > from && to - from == table.n_pixels(i)) continue;
    check.fault("/offsets[{}] to [{}] go from {} to {}, and image {} has {} × {} = {} pixels", i,
                i + 1, from, to, i, table.height[static_cast<std::size_t>(i)],
                table.width[static_cast<std::size_t>(i)], table.n_pixels(i));
    return;  // what follows is shifted too
  }
  const Index total = file->root().info("pixels").size();
  if (offsets.back() != total)
    check.fault("/offsets ends at {} and /pixels has {} values", offsets.back(), total);
}

void DatasetFile::State::pass_over_pixels(DatasetChecker& check) {
  DatasetHash hash(table);
  moments.resize(static_cast<std::size_t>(table.size()));
  table.pixel_type == PixelType::uint8 ? pass<std::uint8_t>(check, hash) : pass<float>(check, hash);
  if (!check.good()) return;
  sha256 = hash.hex();
  check.content_is(sha256);
}

template <class T>
void DatasetFile::State::pass(DatasetChecker& check, DatasetHash& hash) {
  std::vector<T> block(static_cast<std::size_t>(std::min(kBlock, offsets.back())));
  for (std::size_t i = 0; i < moments.size(); ++i) {
    for (Index at = offsets[i]; at < offsets[i + 1]; at += kBlock) {
      const Index count = std::min(kBlock, offsets[i + 1] - at);
      file->root().read_rows("pixels", at, count, block.data());
      hash.pixels(block.data(), static_cast<std::size_t>(count) * sizeof(T));
      for (Index k = 0; k < count; ++k) {
        const auto x = static_cast<double>(block[static_cast<std::size_t>(k)]);
        moments[i].sum += x;
        moments[i].squares += x * x;
      }
    }
    if (!std::isfinite(moments[i].sum) || !std::isfinite(moments[i].squares)) {
      check.fault("/pixels of image {} hold NaN or infinity", i);
      return;
    }
  }
}

DatasetFile::DatasetFile(const std::string& path) : state_(std::make_unique<State>(path)) {
  std::vector<std::string> faults;
  state_->load(faults);
  ATTUNE_CHECK(faults.empty(), DataError, "{}", join(faults, "\n"));
}

DatasetFile::~DatasetFile() = default;

const ImageTable& DatasetFile::table() const { return state_->table; }
const std::string& DatasetFile::sha256() const { return state_->sha256; }

void DatasetFile::read_pixels(Index i, float* out) const {
  const Index first = state_->offsets[static_cast<std::size_t>(i)];
  const std::lock_guard lock(state_->mutex);
  state_->file->root().read_rows("pixels", first, state_->table.n_pixels(i), out);
}

DatasetFile::Moments DatasetFile::moments(Index i) const {
  return state_->moments[static_cast<std::size_t>(i)];
}

std::vector<std::string> dataset_file_faults(const std::string& path) {
  switch (dataset_kind(path)) {
    case DatasetKind::tokens:
      return token_file_faults(path);
    case DatasetKind::pairs:
      return pair_file_faults(path);
    case DatasetKind::vectors:
      return vector_file_faults(path);
    case DatasetKind::graphs:
      return graph_file_faults(path);
    case DatasetKind::images:
      break;
  }
  std::vector<std::string> faults;
  DatasetFile::State(path).load(faults);
  return faults;
}

}  // namespace attune
