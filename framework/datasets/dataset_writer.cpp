#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/output_file.h"
#include "datasets/dataset_file.h"
#include "datasets/dataset_hash.h"
#include "h5/h5.h"
#include "h5/output.h"

namespace attune {
namespace {

ImageTable completed(ImageTable table) {
  complete(table, table.size());
  return table;
}

constexpr const char* kSchema = "attune.dataset@1";
constexpr Index kChunk = Index{1} << 18;  // pixels

std::vector<Index> offsets_of(const ImageTable& table) {
  std::vector<Index> offsets = {0};
  for (Index i = 0; i < table.size(); ++i) offsets.push_back(offsets.back() + table.n_pixels(i));
  return offsets;
}

}  // namespace

void check_dataset_output(const std::string& path, const std::vector<std::string>& inputs) {
  check_h5_output(path, kSchema, inputs);
}

struct DatasetFileWriter::State {
  State(const std::string& to, ImageTable columns)
      : output(to),
        table(completed(std::move(columns))),
        hash(table),
        file(H5File::create(output.temporary())) {
    H5Group& root = file.root();
    root.set_attribute("schema", kSchema);
    root.set_attribute("kind", "images");
    root.write_texts("class_names", table.class_names);
    root.write("height", table.height);
    root.write("width", table.width);
    root.write("label", table.label);
    root.write("group", table.group);
    if (!table.split.empty()) root.write("split", table.split);
    if (!table.spacing.empty()) root.write("spacing", {table.size(), 2}, table.spacing.data());
    root.write("offsets", offsets_of(table));
    // Gzip would save a quarter of what images take and make opening ten times as long.
    H5Layout layout;
    layout.compress = false;
    layout.chunk = {std::min(offsets_of(table).back(), kChunk)};
    if (table.pixel_type == PixelType::uint8) {
      bytes.emplace(root.create_stream<std::uint8_t>("pixels", {}, layout));
    } else {
      reals.emplace(root.create_stream<float>("pixels", {}, layout));
    }
  }

  template <class T>
  void append(std::optional<H5Stream<T>>& stream, View<const T> pixels) {
    ATTUNE_CHECK(stream && written < table.size() && pixels.size() == table.n_pixels(written),
                 ShapeError, "[dataset] image {} of {} has {} pixels of {} bytes each", written,
                 table.size(), pixels.size(), sizeof(T));
    if constexpr (std::is_floating_point_v<T>)
      ATTUNE_CHECK(std::all_of(pixels.begin(), pixels.end(), [](T x) { return std::isfinite(x); }),
                   DataError, "[dataset] image {} of {} has pixels that are no numbers", written,
                   table.size());
    stream->append(pixels.data(), pixels.size());
    hash.pixels(pixels.data(), static_cast<std::size_t>(pixels.size()) * sizeof(T));
    ++written;
  }

  OutputFile output;  // first: it goes when the file is closed
  ImageTable table;
  DatasetHash hash;
  H5File file;
  std::optional<H5Stream<std::uint8_t>> bytes;
  std::optional<H5Stream<float>> reals;
  Index written = 0;
};

DatasetFileWriter::DatasetFileWriter(const std::string& path, ImageTable table)
    : state_(std::make_unique<State>(path, std::move(table))) {}

DatasetFileWriter::~DatasetFileWriter() = default;

void DatasetFileWriter::append(View<const std::uint8_t> pixels) {
  state_->append(state_->bytes, pixels);
}
void DatasetFileWriter::append(View<const float> pixels) { state_->append(state_->reals, pixels); }

void DatasetFileWriter::finish() {
  State& s = *state_;
  ATTUNE_CHECK(s.written == s.table.size(), ShapeError, "[dataset] {} of {} images were written",
               s.written, s.table.size());
  s.file.root().set_attribute("sha256", s.hash.hex());
  s.bytes.reset();
  s.reals.reset();
  s.file.close();
  s.output.put_in_place();
}

}  // namespace attune
