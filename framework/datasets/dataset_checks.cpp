#include "datasets/dataset_checks.h"

#include <set>

#include "datasets/dataset_hash.h"

namespace attune {

void DatasetChecker::columns(Index n, bool labelled, ExampleColumns& columns) {
  columns.label = column<std::int32_t>("label", {n}, labelled);
  columns.group = column<std::int32_t>("group", {n}, false);
  columns.split = column<std::int32_t>("split", {n}, false);
  if (shape("class_names", {-1}, false)) columns.class_names = root_.read_texts("class_names");
  each("split", columns.split, "0 (train), 1 (val), 2 (test) or -1 (none)",
       [](std::int32_t x) { return x >= -1 && x <= 2; });
  distinct("class_names", columns.class_names);
  // Without names a label must still be an index: as many classes as examples at the most.
  const Index n_classes =
      columns.class_names.empty() ? n : static_cast<Index>(columns.class_names.size());
  each("label", columns.label,
       fmt::format("0 … {}, {}", n_classes - 1,
                   columns.class_names.empty() ? "below the number of examples"
                                               : "an index into /class_names")
           .c_str(),
       [n_classes](std::int32_t x) { return x >= 0 && x < n_classes; });
  if (good()) complete(columns, n);
}

void DatasetChecker::distinct(const char* name, const std::vector<std::string>& texts) {
  if (std::set<std::string>(texts.begin(), texts.end()).size() != texts.size())
    fault("/{} has a name twice", name);
}

std::vector<std::string> faults_of(
    const std::string& path, const std::string& needs,
    const std::function<void(DatasetChecker& check, const H5Group& root)>& read) {
  std::vector<std::string> faults;
  try {
    const H5File file = H5File::open(path);
    DatasetChecker check(path, file.root(), needs, faults);
    read(check, file.root());
  } catch (const Error& error) {
    faults.emplace_back(error.what());
  }
  return faults;
}

DatasetKind dataset_kind(const std::string& path) {
  try {
    const H5File file = H5File::open(path);
    const H5Group& root = file.root();
    if (root.has("answer_tokens") || root.has("answer_offsets")) return DatasetKind::pairs;
    if (root.has("tokens")) return DatasetKind::tokens;
    if (root.has("x")) return root.has("indptr") ? DatasetKind::graphs : DatasetKind::vectors;
  } catch (const Error&) {  // who reads it says what is wrong
  }
  return DatasetKind::images;
}

}  // namespace attune
