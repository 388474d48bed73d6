#include "datasets/vector_file.h"

#include <cmath>

#include "base/output_file.h"
#include "base/text.h"
#include "datasets/dataset_checks.h"
#include "datasets/dataset_hash.h"

namespace attune {
namespace {

std::string content_hash(const VectorTable& table) {
  Sha256 hash;
  hash.update("attune.dataset@1 vectors\n");
  if (!table.feature_names.empty()) hash_texts(hash, "feature_names", table.feature_names);
  hash_texts(hash, "class_names", table.class_names);
  hash_column(hash, "label", table.label);
  hash_column(hash, "group", table.group);
  if (!table.split.empty()) hash_column(hash, "split", table.split);
  hash_column(hash, "x", table.x);
  return hash.hex();
}

void read(DatasetChecker& check, const H5Group& root, VectorFile& file) {
  VectorTable& table = file.table;
  check.attribute_is("schema", "attune.dataset@1", "it is no dataset of this version");
  check.attribute_is("kind", "vectors",
                     root.has("x") ? "it holds /x" : "data.kind=vectors reads vectors only");
  const auto shape = check.shape("x", {-1, -1}, true);
  if (!shape) return;
  if (!is_integer(shape->type) && !is_real(shape->type))
    return check.fault("/x holds {} and must hold numbers", name_of(shape->type));
  const Index n = shape->dims[0];
  table.width = shape->dims[1];
  if (n == 0 || table.width == 0)
    return check.fault("/x has shape [{}, {}]: there is no value", n, table.width);
  table.x = root.read<float>("x");
  std::size_t first = 0;
  while (first < table.x.size() && std::isfinite(table.x[first])) ++first;
  if (first < table.x.size())
    check.fault("/x[{}, {}] is {} in single precision and must be finite",
                first / static_cast<std::size_t>(table.width),
                first % static_cast<std::size_t>(table.width), table.x[first]);
  if (check.shape("feature_names", {table.width}, false))
    table.feature_names = root.read_texts("feature_names");
  check.distinct("feature_names", table.feature_names);
  check.columns(n, true, table);
  if (!check.good()) return;
  file.sha256 = content_hash(table);
  check.content_is(file.sha256);
}

std::vector<std::string> load(const std::string& path, VectorFile& file) {
  return faults_of(path, "vectors need x and label",
                   [&](DatasetChecker& check, const H5Group& root) { read(check, root, file); });
}

}  // namespace

VectorFile read_vector_file(const std::string& path) {
  VectorFile file;
  const std::vector<std::string> faults = load(path, file);
  ATTUNE_CHECK(faults.empty(), DataError, "{}", join(faults, "\n"));
  return file;
}

std::vector<std::string> vector_file_faults(const std::string& path) {
  VectorFile file;
  return load(path, file);
}

void write_vector_file(const std::string& path, VectorTable table) {
  complete(table, table.size());
  H5File file = H5File::create_in_memory(path);
  H5Group& root = file.root();
  root.set_attribute("schema", "attune.dataset@1");
  root.set_attribute("kind", "vectors");
  if (!table.feature_names.empty()) root.write_texts("feature_names", table.feature_names);
  root.write_texts("class_names", table.class_names);
  root.write("label", table.label);
  root.write("group", table.group);
  if (!table.split.empty()) root.write("split", table.split);
  root.write("x", {table.size(), table.width}, table.x.data());
  root.set_attribute("sha256", content_hash(table));
  write_output(path, file.image());
}

}  // namespace attune
