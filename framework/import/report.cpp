#include "import/report.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "import/source.h"

namespace attune {
namespace {

struct Spread {
  Index least = 0, median = 0, most = 0;
};

Spread spread_of(std::vector<Index> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

Spread spread_of(const std::vector<std::int32_t>& values) {
  return spread_of(std::vector<Index>(values.begin(), values.end()));
}

Json json_of(const Spread& s) {
  return Json().set("min", s.least).set("median", s.median).set("max", s.most);
}

// Images of each group; images of each class and the groups that they are of.
struct Counts {
  std::map<std::int32_t, Index> of_group;
  std::vector<Index> of_class, groups_of_class;
  Index n_sizes = 0;  // different ones
};

Counts count(const ImageTable& table) {
  Counts counts;
  std::vector<std::set<std::int32_t>> groups(table.class_names.size());
  std::set<std::pair<std::int32_t, std::int32_t>> sizes;
  counts.of_class.resize(table.class_names.size());
  for (std::size_t i = 0; i < table.label.size(); ++i) {
    const auto label = static_cast<std::size_t>(table.label[i]);
    ++counts.of_group[table.group[i]];
    ++counts.of_class[label];
    groups[label].insert(table.group[i]);
    sizes.emplace(table.height[i], table.width[i]);
  }
  for (const auto& set : groups) counts.groups_of_class.push_back(static_cast<Index>(set.size()));
  counts.n_sizes = static_cast<Index>(sizes.size());
  return counts;
}

Spread group_spread(const Counts& counts) {
  std::vector<Index> sizes;
  for (const auto& [group, size] : counts.of_group) sizes.push_back(size);
  return spread_of(sizes);
}

const char* name_of(PixelType type) { return type == PixelType::uint8 ? "uint8" : "float32"; }

std::string first_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), kShown));
  return join(std::vector<std::string>(names.begin(), names.begin() + shown)) +
         (names.size() > kShown ? ", ..." : "");
}

std::string line_of(const Duplicates::Image& image) {
  const std::string slice =
      image.n_slices > 1 ? fmt::format(", slice {} of {}", image.slice + 1, image.n_slices) : "";
  const std::string group = image.group.empty() ? "" : fmt::format(", group {}", image.group);
  return fmt::format("{}{} (label {}{})", image.file, slice, image.label, group);
}

std::string duplicates_text(const ImportReport& report) {
  if (report.duplicates.empty()) return "";
  std::vector<std::string> lines;
  for (const Duplicates& set : report.duplicates) {
    std::vector<std::string> images;
    for (const auto& image : set.images) images.push_back(line_of(image));
    lines.push_back(join(images, " = ") +
                    (set.across_labels ? ": different labels" : ": different groups"));
  }
  return fmt::format(
      "\nwarning: {} images stand in several groups or have several labels, pixel by pixel the "
      "same.\nGive those of one group name, and remove what is labelled twice:{}\n",
      report.duplicates.size(), listed(lines));
}

}  // namespace

std::string report_text(const ImportReport& report) {
  const ImageTable& table = report.table;
  const Counts counts = count(table);
  std::string text;
  if (!report.no_row.empty())
    text += fmt::format("skipped {} images without a row\n", report.no_row.size());
  if (!report.no_file.empty())
    text += fmt::format("skipped {} rows without a file\n", report.no_file.size());
  if (!report.no_image.empty())
    text += fmt::format("left out {} files that are no images: {}\n", report.no_image.size(),
                        first_of(report.no_image));
  std::vector<std::string> mix;
  for (const auto& [name, n] : report.formats) mix.push_back(fmt::format("{} {}", n, name));
  text += fmt::format("{}: {} images ({}) as {}\n", report.output, table.size(), join(mix),
                      name_of(table.pixel_type));
  if (report.n_files != table.size())
    text += fmt::format("of {} files: each slice of a volume is an image\n", report.n_files);

  std::size_t width = 5;
  for (const std::string& name : table.class_names) width = std::max(width, display_width(name));
  const auto row = [&](const std::string& name, Index images, Index groups) {
    text += fmt::format("{}  {:>6}  {:>6}\n", pad_right(name, width), images, groups);
  };
  text += fmt::format("\n{}  images  groups\n", pad_right("label", width));
  for (std::size_t c = 0; c < table.class_names.size(); ++c)
    row(table.class_names[c], counts.of_class[c], counts.groups_of_class[c]);
  row("all", table.size(), static_cast<Index>(counts.of_group.size()));

  const auto spread = [&](const char* name, const Spread& s) {
    text += fmt::format("{:<16}  {:>6}  {:>6}  {:>6}\n", name, s.least, s.median, s.most);
  };
  text += fmt::format("\n{:<16}  {:>6}  {:>6}  {:>6}\n", "", "least", "median", "most");
  spread("images a group", group_spread(counts));
  spread("height", spread_of(table.height));
  spread("width", spread_of(table.width));
  text += fmt::format("{} different sizes\n", counts.n_sizes);
  if (!report.has_groups)
    text +=
        "\nno groups are given: each file is its own, so that images of one patient may be split "
        "apart\n";
  if (report.mixed_units)
    text +=
        "\nwarning: PNG and JPEG, in 0 .. 1, stand beside values in units of their own; --window "
        "brings all to 0 .. 1\n";
  return text + duplicates_text(report);
}

Json report_json(const ImportReport& report) {
  const ImageTable& table = report.table;
  const Counts counts = count(table);
  Json formats(Json::Map{}), labels(Json::List{}), duplicates(Json::List{});
  for (const auto& [name, n] : report.formats) formats.set(name, n);
  for (std::size_t c = 0; c < table.class_names.size(); ++c)
    labels.push(Json()
                    .set("name", table.class_names[c])
                    .set("images", counts.of_class[c])
                    .set("groups", counts.groups_of_class[c]));
  for (const Duplicates& set : report.duplicates) {
    Json images(Json::List{});
    for (const auto& image : set.images)
      images.push(Json()
                      .set("file", image.file)
                      .set("slice", image.slice)
                      .set("label", image.label)
                      .set("group", image.group.empty() ? Json() : Json(image.group)));
    duplicates.push(Json()
                        .set("across_groups", set.across_groups)
                        .set("across_labels", set.across_labels)
                        .set("images", std::move(images)));
  }
  Json groups = json_of(group_spread(counts));
  groups.set("count", static_cast<Index>(counts.of_group.size())).set("given", report.has_groups);
  return Json()
      .set("output", report.output)
      .set("images", table.size())
      .set("files", report.n_files)
      .set("pixels", name_of(table.pixel_type))
      .set("formats", std::move(formats))
      .set("labels", std::move(labels))
      .set("groups", std::move(groups))
      .set("height", json_of(spread_of(table.height)))
      .set("width", json_of(spread_of(table.width)))
      .set("sizes", counts.n_sizes)
      .set("mixed_units", report.mixed_units)
      .set("images_without_row", report.no_row)
      .set("rows_without_file", report.no_file)
      .set("files_left_out", report.no_image)
      .set("duplicates", std::move(duplicates));
}

}  // namespace attune
