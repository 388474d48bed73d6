#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>

#include "datasets/dataset_file.h"
#include "datasets/dataset_hash.h"
#include "h5/h5.h"

namespace attune {
namespace {

constexpr Index kBlock = Index{1} << 20;  // pixels read at once by the pass over a file
// Deflate shrinks by at most 1032; a file that claims more does not hold what it says.
constexpr double kMaxRatio = 2000;

// Checks a file's datasets one after the other; a fault is a sentence, and ends what depends on it.
class Checker {
 public:
  Checker(const std::string& path, const H5Group& root, std::vector<std::string>& faults)
      : path_(path), root_(root), faults_(faults) {}

  bool good() const { return faults_.empty(); }

  template <class... Args>
  void fault(fmt::format_string<Args...> text, Args&&... args) {
    faults_.push_back(path_ + ": " + fmt::format(text, std::forward<Args>(args)...));
  }

  void attribute_is(const char* name, const std::string& expected, const char* advice) {
    if (!root_.has_attribute(name)) return;
    const std::string value = root_.text_attribute(name);
    if (value != expected)
      fault("attribute {} is '{}' and must be '{}': {}", name, value, expected, advice);
  }

  // The dataset's shape, when it is there and right. A size of −1 may be any.
  std::optional<H5Info> shape(const char* name, const Dims& expected, bool required) {
    if (!root_.has_dataset(name)) {
      if (required)
        fault("there is no dataset /{}; images need pixels, offsets, height, width and label",
              name);
      return std::nullopt;
    }
    const H5Info info = root_.info(name);
    bool fits = info.dims.size() == expected.size();
    for (std::size_t d = 0; fits && d < expected.size(); ++d)
      fits = expected[d] < 0 || info.dims[d] == expected[d];
    if (fits) return info;
    fault("/{} has shape {} and must be {}", name, text(info.dims), text(expected));
    return std::nullopt;
  }

  template <class T>
  std::vector<T> column(const char* name, const Dims& expected, bool required) {
    const auto info = shape(name, expected, required);
    if (!info) return {};
    if (std::is_integral_v<T> && !is_integer(info->type)) {
      fault("/{} holds {} and must hold integers", name, name_of(info->type));
      return {};
    }
    return root_.read<T>(name);
  }

  // One sentence for all values of a column that break a rule.
  template <class T, class Rule>
  void each(const char* name, const std::vector<T>& values, const char* allowed, const Rule& rule) {
    std::size_t bad = 0, first = 0;
    for (std::size_t i = values.size(); i-- > 0;)
      if (!rule(values[i])) {
        first = i;
        ++bad;
      }
    if (bad > 0)
      fault("/{}[{}] is {} and must be {}{}", name, first, values[first], allowed, others(bad - 1));
  }

  static std::string others(std::size_t n) {
    return n == 0 ? "" : fmt::format(" ({} more are not)", n);
  }

 private:
  static std::string text(const Dims& dims) {
    std::string s = "[";
    for (std::size_t d = 0; d < dims.size(); ++d)
      s += (d ? ", " : "") + (dims[d] < 0 ? std::string("n") : std::to_string(dims[d]));
    return s + "]";
  }

  const std::string& path_;
  const H5Group& root_;
  std::vector<std::string>& faults_;
};

}  // namespace

struct DatasetFile::State {
  explicit State(const std::string& path_) : path(path_) {}

  void load(std::vector<std::string>& faults);
  void read_table(Checker& check);
  void check_offsets(Checker& check) const;
  void pass_over_pixels(Checker& check);
  template <class T>
  void pass(Checker& check, DatasetHash& hash);

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
    Checker check(path, file->root(), faults);
    read_table(check);
    if (check.good()) check_offsets(check);
    if (check.good()) pass_over_pixels(check);
  } catch (const Error& error) {
    faults.emplace_back(error.what());
  }
}

void DatasetFile::State::read_table(Checker& check) {
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
  table.label = check.column<std::int32_t>("label", {n}, true);
  table.group = check.column<std::int32_t>("group", {n}, false);
  table.split = check.column<std::int32_t>("split", {n}, false);
  table.spacing = check.column<float>("spacing", {n, 2}, false);
  offsets = check.column<Index>("offsets", {n + 1}, true);
  if (check.shape("class_names", {-1}, false)) table.class_names = root.read_texts("class_names");

  const auto positive = [](std::int32_t x) { return x > 0; };
  check.each("height", table.height, "at least 1", positive);
  check.each("width", table.width, "at least 1", positive);
  check.each("split", table.split, "0 (train), 1 (val) or 2 (test)",
             [](std::int32_t x) { return x >= 0 && x <= 2; });
  check.each("spacing", table.spacing, "above 0, in mm, or NaN where unknown",
             [](float x) { return std::isnan(x) || (x > 0 && std::isfinite(x)); });
  const auto& names = table.class_names;
  if (std::set<std::string>(names.begin(), names.end()).size() != names.size())
    check.fault("/class_names has a name twice");
  // Without names a label must still be an index: as many classes as images at the most.
  const Index n_classes = names.empty() ? n : static_cast<Index>(names.size());
  check.each("label", table.label,
             fmt::format("0 … {}, an index into /class_names", n_classes - 1).c_str(),
             [n_classes](std::int32_t x) { return x >= 0 && x < n_classes; });
  if (check.good()) complete(table);
}

void DatasetFile::State::check_offsets(Checker& check) const {
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

void DatasetFile::State::pass_over_pixels(Checker& check) {
  DatasetHash hash(table);
  moments.resize(static_cast<std::size_t>(table.size()));
  table.pixel_type == PixelType::uint8 ? pass<std::uint8_t>(check, hash) : pass<float>(check, hash);
  if (!check.good()) return;
  sha256 = hash.hex();
  check.attribute_is("sha256", sha256,
                     "the content was changed after it was written; write the file anew, or delete "
                     "the attribute if the change was meant");
}

template <class T>
void DatasetFile::State::pass(Checker& check, DatasetHash& hash) {
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
  std::string all;
  for (const std::string& fault : faults) all += (all.empty() ? "" : "\n") + fault;
  ATTUNE_CHECK(faults.empty(), DataError, "{}", all);
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
  std::vector<std::string> faults;
  DatasetFile::State(path).load(faults);
  return faults;
}

}  // namespace attune
