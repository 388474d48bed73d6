#include "datasets/token_file.h"

#include "base/output_file.h"
#include "base/text.h"
#include "datasets/dataset_checks.h"
#include "datasets/dataset_hash.h"

namespace attune {
namespace {

std::string content_hash(const TokenTable& table) {
  Sha256 hash;
  hash.update("attune.dataset@1 tokens\n");
  hash_texts(hash, "vocabulary", table.vocabulary);
  if (!table.label.empty()) {
    hash_texts(hash, "class_names", table.class_names);
    hash_column(hash, "label", table.label);
  }
  hash_column(hash, "group", table.group);
  if (!table.split.empty()) hash_column(hash, "split", table.split);
  hash_column(hash, "offsets", table.offsets);
  hash_column(hash, "tokens", table.tokens);
  return hash.hex();
}

void read(DatasetChecker& check, const H5Group& root, TokenFile& file) {
  TokenTable& table = file.table;
  check.attribute_is("schema", "attune.dataset@1", "it is no dataset of this version");
  check.attribute_is(
      "kind", "tokens",
      root.has("tokens") ? "it holds /tokens" : "data.kind=tokens and text read tokens only");
  static_cast<TokenSequences&>(table) = read_sequences(check, root);
  if (table.size() < 1) return;
  check.columns(table.size(), false, table);
  if (!check.good()) return;
  file.sha256 = content_hash(table);
  check.content_is(file.sha256);
}

std::vector<std::string> load(const std::string& path, TokenFile& file) {
  return faults_of(path, "tokens need tokens and offsets",
                   [&](DatasetChecker& check, const H5Group& root) { read(check, root, file); });
}

}  // namespace

TokenFile read_token_file(const std::string& path) {
  TokenFile file;
  const std::vector<std::string> faults = load(path, file);
  ATTUNE_CHECK(faults.empty(), DataError, "{}", join(faults, "\n"));
  return file;
}

std::vector<std::string> token_file_faults(const std::string& path) {
  TokenFile file;
  return load(path, file);
}

void write_token_file(const std::string& path, TokenTable table) {
  complete(table, table.size());
  complete_vocabulary(table);
  H5File file = H5File::create_in_memory(path);
  H5Group& root = file.root();
  root.set_attribute("schema", "attune.dataset@1");
  root.set_attribute("kind", "tokens");
  if (!table.label.empty()) {
    root.write_texts("class_names", table.class_names);
    root.write("label", table.label);
  }
  root.write("group", table.group);
  if (!table.split.empty()) root.write("split", table.split);
  write_sequences(root, table);
  root.set_attribute("sha256", content_hash(table));
  write_output(path, file.image());
}

}  // namespace attune
