#include "import/import.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/output_file.h"
#include "datasets/dataset_file.h"
#include "import/decode.h"
#include "import/names.h"
#include "import/source.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

// A row an image: as many as a file has slices.
ImageTable make_table(const Selection& selection, const std::vector<FileHeader>& headers) {
  ImageTable table;
  std::set<std::string> labels_in_use, groups_in_use;
  for (const LabelRow& row : selection.rows) {
    labels_in_use.insert(row.label);
    groups_in_use.insert(row.group);
  }
  table.class_names = in_order(labels_in_use);
  std::map<std::string, std::int32_t> label_of;
  for (std::size_t c = 0; c < table.class_names.size(); ++c)
    label_of[table.class_names[c]] = static_cast<std::int32_t>(c);
  const auto groups = group_numbers(groups_in_use);
  bool all_eight_bit = true, any_spacing = false;
  for (std::size_t f = 0; f < headers.size(); ++f) {
    const FileHeader& header = headers[f];
    const LabelRow& labels = selection.rows[f];
    const std::int32_t group =
        selection.has_groups ? groups.at(labels.group) : static_cast<std::int32_t>(f);
    for (Index slice = 0; slice < header.n_slices; ++slice) {
      table.height.push_back(static_cast<std::int32_t>(header.height));
      table.width.push_back(static_cast<std::int32_t>(header.width));
      table.label.push_back(label_of.at(labels.label));
      table.group.push_back(group);
      const auto [row, column] = header.slice_spacing.empty()
                                     ? std::array{header.row_spacing, header.column_spacing}
                                     : header.slice_spacing[static_cast<std::size_t>(slice)];
      table.spacing.insert(table.spacing.end(), {row, column});
      any_spacing = any_spacing || !std::isnan(row) || !std::isnan(column);
    }
    all_eight_bit = all_eight_bit && header.eight_bit;
  }
  if (!any_spacing) table.spacing.clear();
  table.pixel_type = all_eight_bit ? PixelType::uint8 : PixelType::float32;
  return table;
}

// To 0 … 1 by the window, and to more as brighter.
void finish_values(const std::optional<std::pair<double, double>>& window, bool display,
                   Slice& slice) {
  const bool inverted = !std::isnan(slice.mirror);
  if (window && !display) {
    const auto low = static_cast<float>(window->first), high = static_cast<float>(window->second);
    for (float& x : slice.gray) {
      x = (std::clamp(x, low, high) - low) / (high - low);
      if (inverted) x = 1 - x;
    }
  } else if (inverted) {
    for (float& x : slice.gray) x = slice.mirror - x;
  }
}

// Its bounds are used as floats, and so is their distance, which values are divided by.
void check_window(const std::pair<double, double>& window) {
  const float width = static_cast<float>(window.second) - static_cast<float>(window.first);
  ATTUNE_CHECK(std::isnormal(width) && width > 0, ConfigError,
               "--window {},{}: its width is {} in single precision, by which no value can be "
               "divided; give two finite numbers, the lower one first, such as -1000,400",
               window.first, window.second, width);
}

// Finds equal images by a hash of their size and pixels. One value throughout, such as the air
// above a head, makes no image that could give an answer away.
class DuplicateFinder {
 public:
  void add(const Duplicates::Image& image, const FileHeader& header, const Slice& slice) {
    const std::vector<float>& gray = slice.gray;
    if (std::all_of(gray.begin(), gray.end(), [&](float x) { return x == gray.front(); })) return;
    Sha256 hash;
    hash.update(fmt::format("{} {}\n", header.height, header.width));
    hash.update(gray.data(), gray.size() * sizeof(float));
    equal_[hash.hex()].push_back(image);
  }

  // Where groups are not given, each file is one. In order of the first file.
  std::vector<Duplicates> found(bool has_groups) const {
    std::vector<Duplicates> sets;
    for (const auto& [hash, images] : equal_) {
      Duplicates set{images};
      const auto& first = images.front();
      for (const auto& image : images) {
        set.across_groups = set.across_groups ||
                            (has_groups ? image.group != first.group : image.file != first.file);
        set.across_labels = set.across_labels || image.label != first.label;
      }
      if (set.across_groups || set.across_labels) sets.push_back(std::move(set));
    }
    std::sort(sets.begin(), sets.end(), [](const auto& a, const auto& b) {
      return std::pair(a.images[0].file, a.images[0].slice) <
             std::pair(b.images[0].file, b.images[0].slice);
    });
    return sets;
  }

 private:
  std::map<std::string, std::vector<Duplicates::Image>> equal_;
};

void append(DatasetFileWriter& writer, const ImageTable& table, const FileHeader& header,
            const Slice& slice) {
  const Shape shape{header.height, header.width};
  if (table.pixel_type == PixelType::float32) {
    writer.append(View<const float>(slice.gray.data(), shape));
    return;
  }
  std::vector<std::uint8_t> bytes(slice.gray.size());
  std::transform(slice.gray.begin(), slice.gray.end(), bytes.begin(),
                 [](float x) { return static_cast<std::uint8_t>(x * 255.0F + 0.5F); });
  writer.append(View<const std::uint8_t>(bytes.data(), shape));
}

// Reads and writes file by file, and goes on behind a fault to find all of them.
class Importer {
 public:
  Importer(const ImportOptions& options, const Selection& selection)
      : options_(options), selection_(selection), headers_(selection.rows.size()) {}

  ImageTable read_headers() {
    each_file([&](std::size_t f, const std::string& path) { headers_[f] = read_header(path); });
    return faulty_.empty() ? make_table(selection_, headers_) : ImageTable();
  }

  std::vector<Duplicates> write(const ImageTable& table) {
    std::optional<DatasetFileWriter> writer;
    if (faulty_.empty()) writer.emplace(options_.output, table);
    DuplicateFinder duplicates;
    each_file([&](std::size_t f, const std::string& path) {
      if (faulty_.contains(f)) return;
      const FileHeader& header = headers_[f];
      const LabelRow& row = selection_.rows[f];
      Index i = 0;
      read_slices(path, header, [&](Slice& slice) {
        finish_values(options_.window, header.display, slice);
        for (const float x : slice.gray)
          ATTUNE_CHECK(std::isfinite(x), DataError,
                       "{}: a value becomes {} once it is turned so that more is brighter", path,
                       x);
        duplicates.add({row.file, row.group, row.label, i++, header.n_slices}, header, slice);
        if (faulty_.empty()) append(*writer, table, header, slice);
      });
    });
    std::vector<std::string> faults;
    for (const auto& [f, fault] : faulty_) faults.push_back(fault);
    ATTUNE_CHECK(faults.empty(), DataError,
                 "{} of {} images cannot be read:{}\nNothing was written.", faults.size(),
                 headers_.size(), listed(faults));
    writer->finish();
    return duplicates.found(selection_.has_groups);
  }

  const std::vector<FileHeader>& headers() const { return headers_; }

 private:
  template <class Work>
  void each_file(const Work& work) {
    for (std::size_t f = 0; f < headers_.size(); ++f) {
      try {
        work(f, (fs::path(options_.source) / selection_.rows[f].file).string());
      } catch (const DataError& error) {
        faulty_.emplace(f, error.what());
      }
    }
  }

  const ImportOptions& options_;
  const Selection& selection_;
  std::vector<FileHeader> headers_;
  std::map<std::size_t, std::string> faulty_;
};

// All that an import reads.
std::vector<std::string> inputs_of(const ImportOptions& options, const Selection& selection) {
  std::vector<std::string> inputs = {options.labels};
  for (const LabelRow& row : selection.rows)
    inputs.push_back((fs::path(options.source) / row.file).string());
  for (const std::string& file : selection.no_row)
    inputs.push_back((fs::path(options.source) / file).string());
  return inputs;
}

// By label, where it stands.
void check_labels(const Selection& selection) {
  std::map<std::string, std::string> first;
  for (const LabelRow& row : selection.rows) first.emplace(row.label, row.file);
  require_lines(first);
}

}  // namespace

ImportReport import_images(const ImportOptions& options) {
  ATTUNE_CHECK(fs::is_directory(options.source), DataError, "{} is no folder", options.source);
  if (options.window) check_window(*options.window);
  check_output(options.output, {});
  const Selection selection =
      options.labels.empty()
          ? select_by_folders(options.source)
          : select_by_csv(options.source, options.labels, options.columns, options.skip_unlabelled);
  check_dataset_output(options.output, inputs_of(options, selection));
  check_labels(selection);
  Importer importer(options, selection);
  ImportReport report;
  report.output = options.output;
  report.table = importer.read_headers();
  report.duplicates = importer.write(report.table);
  report.has_groups = selection.has_groups;
  report.n_files = static_cast<Index>(selection.rows.size());
  Index n_display = 0;
  for (const FileHeader& header : importer.headers()) {
    ++report.formats[header.format];
    n_display += header.display ? 1 : 0;
  }
  report.mixed_units = n_display > 0 && n_display < report.n_files && !options.window;
  report.no_row = selection.no_row;
  report.no_file = selection.no_file;
  report.no_image = selection.no_image;
  return report;
}

}  // namespace attune
