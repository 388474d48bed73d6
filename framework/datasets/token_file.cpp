#include "datasets/token_file.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "base/output_file.h"
#include "base/text.h"
#include "datasets/dataset_checks.h"
#include "datasets/dataset_hash.h"

namespace attune {
namespace {

constexpr std::int32_t kLargestVocabulary = 1 << 24;

void complete_tokens(TokenTable& table) {
  complete(table, table.size());
  if (!table.vocabulary.empty() || table.tokens.empty()) return;
  const std::int32_t last = *std::max_element(table.tokens.begin(), table.tokens.end());
  for (std::int32_t id = 0; id <= last; ++id) table.vocabulary.push_back(std::to_string(id));
}

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

void check_offsets(DatasetChecker& check, const TokenTable& table) {
  if (table.offsets[0] != 0)
    return check.fault("/offsets[0] is {} and must be 0", table.offsets[0]);
  for (std::size_t i = 1; i < table.offsets.size(); ++i) {
    if (table.offsets[i] > table.offsets[i - 1]) continue;
    return check.fault(
        "/offsets[{}] to [{}] go from {} to {}, and a sequence has one token at least", i - 1, i,
        table.offsets[i - 1], table.offsets[i]);
  }
  if (table.offsets.back() != static_cast<Index>(table.tokens.size()))
    check.fault("/offsets ends at {} and /tokens has {} values", table.offsets.back(),
                table.tokens.size());
}

void read(DatasetChecker& check, const H5Group& root, TokenFile& file) {
  TokenTable& table = file.table;
  check.attribute_is("schema", "attune.dataset@1", "it is no dataset of this version");
  check.attribute_is(
      "kind", "tokens",
      root.has("tokens") ? "it holds /tokens" : "data.kind=tokens and text read tokens only");
  table.tokens = check.column<std::int32_t>("tokens", {-1}, true);
  table.offsets = check.column<Index>("offsets", {-1}, true);
  if (!check.good()) return;
  if (table.size() < 1) return check.fault("/offsets has no sequence: it needs two values or more");
  if (check.shape("vocabulary", {-1}, false)) table.vocabulary = root.read_texts("vocabulary");
  check.distinct("vocabulary", table.vocabulary);
  const auto n_ids = table.vocabulary.empty() ? kLargestVocabulary
                                              : static_cast<std::int32_t>(table.vocabulary.size());
  check.each("tokens", table.tokens,
             table.vocabulary.empty()
                 ? fmt::format("0 … {}", n_ids - 1).c_str()
                 : fmt::format("0 … {}, an index into /vocabulary", n_ids - 1).c_str(),
             [n_ids](std::int32_t id) { return id >= 0 && id < n_ids; });
  check_offsets(check, table);
  check.columns(table.size(), false, table);
  if (!check.good()) return;
  complete_tokens(table);
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

void renumber_tokens(TokenTable& table, const std::vector<std::string>& vocabulary,
                     const std::string& path) {
  std::map<std::string, std::int32_t> known;
  for (std::size_t id = 0; id < vocabulary.size(); ++id)
    known.emplace(vocabulary[id], static_cast<std::int32_t>(id));
  std::set<std::string> unknown;
  for (std::int32_t& id : table.tokens) {
    const std::string& name = table.vocabulary[static_cast<std::size_t>(id)];
    const auto found = known.find(name);
    found == known.end() ? void(unknown.insert(Json(name).dump())) : void(id = found->second);
  }
  constexpr std::size_t kShown = 10;
  std::vector<std::string> shown(unknown.begin(), unknown.end());
  shown.resize(std::min(shown.size(), kShown));
  ATTUNE_CHECK(unknown.empty(), DataError,
               "{}: has {} tokens that the model was not trained on, such as {}. Tokens are found "
               "by their names in /vocabulary: leave these out, or train on data that has them",
               path, unknown.size(), join(shown));
  table.vocabulary = vocabulary;
}

void write_token_file(const std::string& path, TokenTable table) {
  complete_tokens(table);
  H5File file = H5File::create_in_memory(path);
  H5Group& root = file.root();
  root.set_attribute("schema", "attune.dataset@1");
  root.set_attribute("kind", "tokens");
  root.write_texts("vocabulary", table.vocabulary);
  if (!table.label.empty()) {
    root.write_texts("class_names", table.class_names);
    root.write("label", table.label);
  }
  root.write("group", table.group);
  if (!table.split.empty()) root.write("split", table.split);
  root.write("offsets", table.offsets);
  root.write("tokens", table.tokens);
  root.set_attribute("sha256", content_hash(table));
  write_output(path, file.image());
}

}  // namespace attune
