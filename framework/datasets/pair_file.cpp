#include "datasets/pair_file.h"

#include "base/output_file.h"
#include "base/text.h"
#include "datasets/dataset_checks.h"
#include "datasets/dataset_hash.h"

namespace attune {
namespace {

constexpr const char* kAnswer = "answer_";

std::string content_hash(const PairTable& table) {
  Sha256 hash;
  hash.update("attune.dataset@1 pairs\n");
  hash_texts(hash, "vocabulary", table.input.vocabulary);
  hash_texts(hash, "answer_vocabulary", table.answer.vocabulary);
  hash_column(hash, "group", table.group);
  if (!table.split.empty()) hash_column(hash, "split", table.split);
  hash_column(hash, "offsets", table.input.offsets);
  hash_column(hash, "tokens", table.input.tokens);
  hash_column(hash, "answer_offsets", table.answer.offsets);
  hash_column(hash, "answer_tokens", table.answer.tokens);
  return hash.hex();
}

void read(DatasetChecker& check, const H5Group& root, PairFile& file) {
  PairTable& table = file.table;
  check.attribute_is("schema", "attune.dataset@1", "it is no dataset of this version");
  check.attribute_is(
      "kind", "pairs",
      root.has("answer_tokens") ? "it holds /answer_tokens" : "data.kind=pairs reads pairs only");
  table.input = read_sequences(check, root);
  table.answer = read_sequences(check, root, kAnswer);
  if (table.size() < 1) return;
  if (table.answer.size() > 0 && table.answer.size() != table.size())
    check.fault("/offsets has {} sequences and /answer_offsets {}: each needs its answer",
                table.size(), table.answer.size());
  check.columns(table.size(), false, table);
  if (!check.good()) return;
  table.label.clear();  // answers are what a pair is of
  table.class_names.clear();
  file.sha256 = content_hash(table);
  check.content_is(file.sha256);
}

std::vector<std::string> load(const std::string& path, PairFile& file) {
  return faults_of(path, "pairs need tokens, offsets, answer_tokens and answer_offsets",
                   [&](DatasetChecker& check, const H5Group& root) { read(check, root, file); });
}

}  // namespace

PairFile read_pair_file(const std::string& path) {
  PairFile file;
  const std::vector<std::string> faults = load(path, file);
  ATTUNE_CHECK(faults.empty(), DataError, "{}", join(faults, "\n"));
  return file;
}

std::vector<std::string> pair_file_faults(const std::string& path) {
  PairFile file;
  return load(path, file);
}

void write_pair_file(const std::string& path, PairTable table) {
  complete(table, table.size());
  complete_vocabulary(table.input);
  complete_vocabulary(table.answer);
  H5File file = H5File::create_in_memory(path);
  H5Group& root = file.root();
  root.set_attribute("schema", "attune.dataset@1");
  root.set_attribute("kind", "pairs");
  root.write("group", table.group);
  if (!table.split.empty()) root.write("split", table.split);
  write_sequences(root, table.input);
  write_sequences(root, table.answer, kAnswer);
  root.set_attribute("sha256", content_hash(table));
  write_output(path, file.image());
}

}  // namespace attune
