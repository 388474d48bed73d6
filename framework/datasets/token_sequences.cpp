#include "datasets/token_sequences.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "datasets/dataset_checks.h"

namespace attune {
namespace {

constexpr std::int32_t kLargestVocabulary = 1 << 24;

void check_offsets(DatasetChecker& check, const TokenSequences& s, const std::string& prefix) {
  if (s.offsets[0] != 0)
    return check.fault("/{}offsets[0] is {} and must be 0", prefix, s.offsets[0]);
  for (std::size_t i = 1; i < s.offsets.size(); ++i) {
    if (s.offsets[i] > s.offsets[i - 1]) continue;
    return check.fault(
        "/{}offsets[{}] to [{}] go from {} to {}, and a sequence has one token at least", prefix,
        i - 1, i, s.offsets[i - 1], s.offsets[i]);
  }
  if (s.offsets.back() != static_cast<Index>(s.tokens.size()))
    check.fault("/{}offsets ends at {} and /{}tokens has {} values", prefix, s.offsets.back(),
                prefix, s.tokens.size());
}

void check_ids(DatasetChecker& check, const TokenSequences& s, const std::string& prefix) {
  const bool named = !s.vocabulary.empty();
  const auto n_ids = named ? static_cast<std::int32_t>(s.vocabulary.size()) : kLargestVocabulary;
  const std::string allowed =
      fmt::format("0 … {}", n_ids - 1) +
      (named ? fmt::format(", an index into /{}vocabulary", prefix) : std::string());
  check.each((prefix + "tokens").c_str(), s.tokens, allowed.c_str(),
             [n_ids](std::int32_t id) { return id >= 0 && id < n_ids; });
}

}  // namespace

TokenSequences read_sequences(DatasetChecker& check, const H5Group& root,
                              const std::string& prefix) {
  const std::string names = prefix + "vocabulary";
  const std::size_t before = check.n_faults();
  TokenSequences s;
  s.tokens = check.column<std::int32_t>((prefix + "tokens").c_str(), {-1}, true);
  s.offsets = check.column<Index>((prefix + "offsets").c_str(), {-1}, true);
  if (check.n_faults() > before) return s;
  if (s.size() < 1) {
    check.fault("/{}offsets has no sequence: it needs two values or more", prefix);
    return s;
  }
  if (check.shape(names.c_str(), {-1}, false)) s.vocabulary = root.read_texts(names);
  check.distinct(names.c_str(), s.vocabulary);
  check_ids(check, s, prefix);
  check_offsets(check, s, prefix);
  if (check.n_faults() == before) complete_vocabulary(s);
  return s;
}

void write_sequences(H5Group& root, const TokenSequences& sequences, const std::string& prefix) {
  root.write_texts(prefix + "vocabulary", sequences.vocabulary);
  root.write(prefix + "offsets", sequences.offsets);
  root.write(prefix + "tokens", sequences.tokens);
}

void complete_vocabulary(TokenSequences& s) {
  if (!s.vocabulary.empty() || s.tokens.empty()) return;
  const std::int32_t last = *std::max_element(s.tokens.begin(), s.tokens.end());
  for (std::int32_t id = 0; id <= last; ++id) s.vocabulary.push_back(std::to_string(id));
}

void renumber_tokens(TokenSequences& sequences, const std::vector<std::string>& vocabulary,
                     const std::string& path, const std::string& prefix) {
  std::map<std::string, std::int32_t> known;
  for (std::size_t id = 0; id < vocabulary.size(); ++id)
    known.emplace(vocabulary[id], static_cast<std::int32_t>(id));
  std::set<std::string> unknown;
  for (std::int32_t& id : sequences.tokens) {
    const std::string& name = sequences.vocabulary[static_cast<std::size_t>(id)];
    const auto found = known.find(name);
    found == known.end() ? void(unknown.insert(Json(name).dump())) : void(id = found->second);
  }
  constexpr std::size_t kShown = 10;
  std::vector<std::string> shown(unknown.begin(), unknown.end());
  shown.resize(std::min(shown.size(), kShown));
  ATTUNE_CHECK(unknown.empty(), DataError,
               "{}: has {} tokens that the model was not trained on, such as {}. Tokens are found "
               "by their names in /{}vocabulary: leave these out, or train on data that has them",
               path, unknown.size(), join(shown), prefix);
  sequences.vocabulary = vocabulary;
}

}  // namespace attune
