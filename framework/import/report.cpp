#include "import/report.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "import/counts.h"
#include "import/names.h"

namespace attune {
namespace {

// Different ones.
Index n_sizes(const ImageTable& table) {
  std::set<std::pair<std::int32_t, std::int32_t>> sizes;
  for (std::size_t i = 0; i < table.height.size(); ++i)
    sizes.emplace(table.height[i], table.width[i]);
  return static_cast<Index>(sizes.size());
}

Spread spread_of_sides(const std::vector<std::int32_t>& sides) {
  return spread_of({sides.begin(), sides.end()});
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

  text += "\n" + label_table(table, counts, "images");
  text += "\n" + spread_head() + spread_row("images a group", spread_of(counts.of_group)) +
          spread_row("height", spread_of_sides(table.height)) +
          spread_row("width", spread_of_sides(table.width));
  text += fmt::format("{} different sizes\n", n_sizes(table));
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
  Json formats(Json::Map{}), duplicates(Json::List{});
  for (const auto& [name, n] : report.formats) formats.set(name, n);
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
  return Json()
      .set("output", report.output)
      .set("images", table.size())
      .set("files", report.n_files)
      .set("pixels", name_of(table.pixel_type))
      .set("formats", std::move(formats))
      .set("labels", label_json(table, counts, "images"))
      .set("groups", group_json(counts, report.has_groups))
      .set("height", json_of(spread_of_sides(table.height)))
      .set("width", json_of(spread_of_sides(table.width)))
      .set("sizes", n_sizes(table))
      .set("mixed_units", report.mixed_units)
      .set("images_without_row", report.no_row)
      .set("rows_without_file", report.no_file)
      .set("files_left_out", report.no_image)
      .set("duplicates", std::move(duplicates));
}

}  // namespace attune
