#include "import/source.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "import/decode.h"
#include "import/names.h"

namespace attune {

namespace fs = std::filesystem;

namespace {

std::string in_folder(const std::string& folder, const std::string& file) {
  return (fs::path(folder) / file).string();
}

void sort_by_path(std::vector<LabelRow>& rows) {
  std::sort(rows.begin(), rows.end(),
            [](const LabelRow& a, const LabelRow& b) { return a.file < b.file; });
}

}  // namespace

std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> files;
  // By hand: of a folder that cannot be read a recursive iterator does not say which it is.
  std::vector<fs::path> waiting = {folder};
  while (!waiting.empty()) {
    const fs::path now = std::move(waiting.back());
    waiting.pop_back();
    std::error_code error;
    for (fs::directory_iterator entry(now, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code loop;  // of links, or one that leads nowhere
      if (entry->path().filename().string().starts_with('.')) continue;
      if (entry->is_directory(loop)) {
        if (!entry->is_symlink(loop)) waiting.push_back(entry->path());
      } else if (entry->is_regular_file(loop)) {
        files.push_back(entry->path().lexically_relative(folder).string());
      }
    }
    ATTUNE_CHECK(!error, DataError, "{} cannot be read: {}", now.string(), error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_meant_as_image(const std::string& path) {
  constexpr std::string_view kEndings[] = {
      ".dcm", ".dicom", ".ima",  ".nii", ".nii.gz", ".hdr", ".mha", ".mhd",  ".nrrd", ".nhdr",
      ".png", ".jpg",   ".jpeg", ".jp2", ".bmp",    ".gif", ".tif", ".tiff", ".webp"};
  const std::string name = lower_case(fs::path(path).filename().string());
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](std::string_view ending) { return name.ends_with(ending); }) ||
         is_image(path);
}

Selection select_by_csv(const std::string& source, const std::string& csv,
                        const LabelColumns& columns, bool skip) {
  ATTUNE_CHECK(!fs::is_directory(csv), DataError,
               "--labels {} is a folder: it must be a CSV with a row an image", csv);
  std::ifstream stream(csv, std::ios::binary);
  ATTUNE_CHECK(stream, DataError, "{} cannot be opened: --labels names a CSV with a row an image",
               csv);
  const std::vector<std::string> files = files_below(source);
  Selection selection;
  std::set<std::string> with_row;
  for (LabelRow& row : read_labels(stream, columns, csv)) {
    with_row.insert(row.file);
    if (std::binary_search(files.begin(), files.end(), row.file)) {
      selection.has_groups = selection.has_groups || !row.group.empty();
      selection.rows.push_back(std::move(row));
    } else {
      selection.no_file.push_back(fmt::format("{}:{}: {}", csv, row.line, row.file));
    }
  }
  for (const std::string& file : files) {
    if (with_row.contains(file)) continue;
    auto& list = is_meant_as_image(in_folder(source, file)) ? selection.no_row : selection.no_image;
    list.push_back(file);
  }
  std::string text;
  if (!skip && !selection.no_row.empty())
    text += fmt::format("{} of the images in {} have no row in {}:{}\n", selection.no_row.size(),
                        source, csv, listed(selection.no_row));
  if (!skip && !selection.no_file.empty())
    text += fmt::format("{} rows name what is no file in {} (hidden ones are skipped):{}\n",
                        selection.no_file.size(), source, listed(selection.no_file));
  ATTUNE_CHECK(text.empty(), DataError, "{}Nothing was written. --skip-unlabelled leaves them out.",
               text);
  ATTUNE_CHECK(!selection.rows.empty(), DataError, "{} names no image in {}: nothing was written",
               csv, source);
  sort_by_path(selection.rows);
  return selection;
}

Selection select_by_folders(const std::string& source) {
  Selection selection;
  for (const std::string& file : files_below(source)) {
    const fs::path path(file);
    if (!is_meant_as_image(in_folder(source, file))) {
      selection.no_image.push_back(file);
    } else if (path.has_parent_path()) {
      selection.rows.push_back({file, path.begin()->string(), "", 0});
    } else {
      selection.no_row.push_back(file);
    }
  }
  ATTUNE_CHECK(selection.no_row.empty(), DataError,
               "{} images are in {} itself, not in a folder that names their class:{}\nNothing was "
               "written. Move them into folders, or give their labels with --labels CSV.",
               selection.no_row.size(), source, listed(selection.no_row));
  ATTUNE_CHECK(!selection.rows.empty(), DataError,
               "{} holds no images in folders that name their class, and no --labels CSV says "
               "their labels: nothing was written",
               source);
  sort_by_path(selection.rows);
  return selection;
}

}  // namespace attune
