#include "import/import.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <ostream>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "datasets/dataset_file.h"
#include "import/decode.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListed = 20;  // files named in one error

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kListed); ++i) text += "\n  " + items[i];
  if (items.size() > kListed) text += fmt::format("\n  and {} more", items.size() - kListed);
  return text;
}

// All regular files below the folder, by their path in it.
std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.insert(entry.path().lexically_relative(folder).string());
  return files;
}

// Rows whose file is there, by path; complains of all others.
std::vector<LabelRow> match(const ImportOptions& options, std::vector<LabelRow> rows,
                            std::ostream& report) {
  const std::set<std::string> files = files_below(options.source);
  std::vector<std::string> no_row, no_file;
  std::set<std::string> with_row;
  std::vector<LabelRow> matched;
  for (LabelRow& row : rows) {
    with_row.insert(row.file);
    if (files.contains(row.file)) {
      matched.push_back(std::move(row));
    } else {
      no_file.push_back(fmt::format("{}:{}: {}", options.labels, row.line, row.file));
    }
  }
  for (const std::string& file : files)
    if (!with_row.contains(file) && is_image((fs::path(options.source) / file).string()))
      no_row.push_back(file);
  if (options.skip_unlabelled) {
    if (!no_row.empty()) report << fmt::format("skipped {} images without a row\n", no_row.size());
    if (!no_file.empty()) report << fmt::format("skipped {} rows without a file\n", no_file.size());
  } else {
    std::string text;
    if (!no_row.empty())
      text += fmt::format("{} of the images in {} have no row in {}:{}\n", no_row.size(),
                          options.source, options.labels, listed(no_row));
    if (!no_file.empty())
      text += fmt::format("{} rows name files that are not in {}:{}\n", no_file.size(),
                          options.source, listed(no_file));
    ATTUNE_CHECK(text.empty(), DataError,
                 "{}Nothing was written. --skip-unlabelled leaves them out.", text);
  }
  ATTUNE_CHECK(!matched.empty(), DataError, "{} names no image in {}: nothing was written",
               options.labels, options.source);
  std::sort(matched.begin(), matched.end(),
            [](const LabelRow& a, const LabelRow& b) { return a.file < b.file; });
  return matched;
}

// Class names in order, by number when all of them are numbers.
std::vector<std::string> class_names(const std::vector<LabelRow>& rows) {
  std::set<std::string> distinct;
  for (const LabelRow& row : rows) distinct.insert(row.label);
  std::vector<std::string> names(distinct.begin(), distinct.end());
  const auto number = [](const std::string& s) -> std::optional<Index> {
    Index value = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
    return error == std::errc() && end == s.data() + s.size() ? std::optional(value) : std::nullopt;
  };
  if (std::all_of(names.begin(), names.end(), [&](const auto& s) { return number(s).has_value(); }))
    std::stable_sort(names.begin(), names.end(),
                     [&](const auto& a, const auto& b) { return *number(a) < *number(b); });
  return names;
}

// Group names as numbers that say nothing of the names; two names never share one.
std::map<std::string, std::int32_t> group_numbers(const std::vector<LabelRow>& rows) {
  std::map<std::string, std::int32_t> numbers;
  for (const LabelRow& row : rows) numbers[row.group] = 0;
  std::set<std::uint64_t> taken;
  for (auto& [name, number] : numbers) {
    std::uint64_t h = hash64("group/" + name) & 0x7fffffffU;
    while (!taken.insert(h).second) h = (h + 1) & 0x7fffffffU;
    number = static_cast<std::int32_t>(h);
  }
  return numbers;
}

// Runs `work` on every file and throws one error that lists all files which failed.
template <class Work>
void for_each_file(const ImportOptions& options, const std::vector<LabelRow>& rows,
                   const Work& work) {
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    try {
      work(i, (fs::path(options.source) / rows[i].file).string(), faults.empty());
    } catch (const DataError& error) {
      faults.emplace_back(error.what());
    }
  }
  ATTUNE_CHECK(faults.empty(), DataError, "{} of {} images cannot be read:{}\nNothing was written.",
               faults.size(), rows.size(), listed(faults));
}

ImageTable make_table(const std::vector<LabelRow>& rows, const std::vector<ImageHeader>& headers) {
  ImageTable table;
  table.class_names = class_names(rows);
  std::map<std::string, std::int32_t> label_of;
  for (std::size_t c = 0; c < table.class_names.size(); ++c)
    label_of[table.class_names[c]] = static_cast<std::int32_t>(c);
  const auto groups = group_numbers(rows);
  const bool has_groups = groups.size() > 1 || !groups.begin()->first.empty();
  bool all_eight_bit = true, any_spacing = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ImageHeader& header = headers[i];
    table.height.push_back(static_cast<std::int32_t>(header.height));
    table.width.push_back(static_cast<std::int32_t>(header.width));
    table.label.push_back(label_of.at(rows[i].label));
    if (has_groups) table.group.push_back(groups.at(rows[i].group));
    table.spacing.push_back(header.row_spacing);
    table.spacing.push_back(header.column_spacing);
    all_eight_bit = all_eight_bit && header.eight_bit;
    any_spacing = any_spacing || !std::isnan(header.row_spacing);
  }
  if (!any_spacing) table.spacing.clear();
  table.pixel_type = all_eight_bit ? PixelType::uint8 : PixelType::float32;
  return table;
}

void write(const ImportOptions& options, const std::vector<LabelRow>& rows,
           const std::vector<ImageHeader>& headers, const ImageTable& table) {
  DatasetFileWriter writer(options.output, table);
  std::vector<float> gray;
  std::vector<std::uint8_t> bytes;
  for_each_file(options, rows, [&](std::size_t i, const std::string& path, bool all_good) {
    read_gray(path, headers[i], gray);
    if (!all_good) return;  // only looking for further faults
    const Shape shape{headers[i].height, headers[i].width};
    if (options.window && !headers[i].display) {
      const auto low = static_cast<float>(options.window->first);
      const auto high = static_cast<float>(options.window->second);
      for (float& x : gray) x = (std::clamp(x, low, high) - low) / (high - low);
    }
    if (table.pixel_type == PixelType::uint8) {
      bytes.resize(gray.size());
      std::transform(gray.begin(), gray.end(), bytes.begin(),
                     [](float x) { return static_cast<std::uint8_t>(x * 255.0F + 0.5F); });
      writer.append(View<const std::uint8_t>(bytes.data(), shape));
    } else {
      writer.append(View<const float>(gray.data(), shape));
    }
  });
  writer.finish();
}

void print_counts(const ImportOptions& options, const ImageTable& table,
                  const std::vector<ImageHeader>& headers, std::ostream& report) {
  const std::set<std::int32_t> groups(table.group.begin(), table.group.end());
  std::map<std::string, Index> formats;
  for (const ImageHeader& header : headers) ++formats[header.format];
  std::string mix;
  for (const auto& [name, count] : formats)
    mix += fmt::format("{}{} {}", mix.empty() ? "" : ", ", count, name);
  report << fmt::format("{}: {} images ({}) as {}\n", options.output, table.size(), mix,
                        table.pixel_type == PixelType::uint8 ? "uint8" : "float32");
  std::size_t longest = 5;
  for (const std::string& name : table.class_names) longest = std::max(longest, name.size());
  report << fmt::format("\n{:<{}}  images  groups\n", "label", longest);
  for (std::size_t c = 0; c < table.class_names.size(); ++c) {
    Index images = 0;
    std::set<std::int32_t> of_class;
    for (std::size_t i = 0; i < table.label.size(); ++i) {
      if (static_cast<std::size_t>(table.label[i]) != c) continue;
      ++images;
      if (!groups.empty()) of_class.insert(table.group[i]);
    }
    report << fmt::format("{:<{}}  {:>6}  {:>6}\n", table.class_names[c], longest, images,
                          groups.empty() ? images : static_cast<Index>(of_class.size()));
  }
  report << fmt::format("{:<{}}  {:>6}  {:>6}\n", "all", longest, table.size(),
                        groups.empty() ? table.size() : static_cast<Index>(groups.size()));
  if (groups.empty())
    report
        << "no column of groups: each image is its own, so that related ones may be split apart\n";

  report << "\npixels  least  median   most\n";
  for (const auto& [name, column] : {std::pair("height", &table.height), {"width", &table.width}}) {
    std::vector<std::int32_t> sorted = *column;
    std::sort(sorted.begin(), sorted.end());
    report << fmt::format("{:<6}  {:>5}  {:>6}  {:>5}\n", name, sorted.front(),
                          sorted[sorted.size() / 2], sorted.back());
  }
}

}  // namespace

void import_images(const ImportOptions& options, std::ostream& report) {
  ATTUNE_CHECK(fs::is_directory(options.source), DataError, "{} is no folder", options.source);
  const fs::path folder = fs::absolute(options.output).parent_path();
  ATTUNE_CHECK(fs::is_directory(folder), DataError,
               "the folder of {} does not exist: make it first, with mkdir -p {}", options.output,
               folder.string());
  std::ifstream csv(options.labels, std::ios::binary);
  ATTUNE_CHECK(csv, DataError, "{} cannot be opened: --labels names a CSV with a row an image",
               options.labels);
  const auto rows = match(options, read_labels(csv, options.columns, options.labels), report);
  std::vector<ImageHeader> headers(rows.size());
  for_each_file(options, rows, [&](std::size_t i, const std::string& path, bool) {
    headers[i] = read_header(path);
  });
  const ImageTable table = make_table(rows, headers);
  write(options, rows, headers, table);
  print_counts(options, table, headers, report);
}

}  // namespace attune
