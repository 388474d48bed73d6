#include "datasets/open_file.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "h5/h5.h"

namespace attune {

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

std::optional<Complaint> require_name(const std::optional<std::string>& file) {
  if (file) return std::nullopt;
  return Complaint{
      "file", "file must name a dataset file", "attune import SOURCE -o FILE.h5 makes one", {}};
}

std::string why_no_dataset(const std::string& path) {
  if (!std::filesystem::exists(path)) return path + " does not exist";
  if (std::filesystem::is_directory(path)) return path + " is a folder, no dataset file";
  return H5File::recognises(path) ? "" : path + " is no HDF5 file, which a dataset file is";
}

void require_every_class(const std::string& path, const ExampleColumns& columns, const char* what) {
  std::vector<bool> seen(columns.class_names.size());
  for (const std::int32_t label : columns.label) seen[at(label)] = true;
  std::vector<std::string> empty;
  for (std::size_t c = 0; c < seen.size(); ++c)
    if (!seen[c]) empty.push_back(fmt::format("'{}'", columns.class_names[c]));
  if (empty.empty()) return;
  const bool one = empty.size() == 1;
  throw KeyedDataError(
      {"data.file",
       fmt::format("{} {} of /class_names {} no {} in {}", one ? "class" : "classes", join(empty),
                   one ? "has" : "have", what, path),
       fmt::format(
           "Remove the name{} from /class_names, and number /label anew where others follow",
           one ? "" : "s"),
       {}});
}

std::vector<Index> labels_by_name(const std::string& path, const ExampleColumns& columns,
                                  const std::vector<std::string>& known, const char* what) {
  std::vector<Index> place;
  for (const std::string& name : columns.class_names)
    place.push_back(std::find(known.begin(), known.end(), name) - known.begin());
  std::vector<Index> labels;
  std::vector<std::string> unknown;
  for (const std::int32_t own : columns.label) {
    labels.push_back(place[at(own)]);
    const std::string& name = columns.class_names[at(own)];
    if (labels.back() == static_cast<Index>(known.size()) &&
        std::find(unknown.begin(), unknown.end(), name) == unknown.end())
      unknown.push_back(name);
  }
  ATTUNE_CHECK(unknown.empty(), DataError,
               "{}: has {} of {}, which the model was not trained on; it knows {}. Classes are "
               "found by their names in /class_names: rename them there, or leave these {} out",
               path, what, join(unknown), join(known), what);
  return labels;
}

}  // namespace attune
