#include "train/decode.h"

#include <algorithm>
#include <numeric>

namespace attune {

TokenSequence most_likely(View<const float> logits, Index begin, Index end) {
  const Index n_classes = logits.dim(1);
  TokenSequence tokens;
  for (Index row = begin; row < end; ++row) {
    const float* z = logits.row(row);
    const auto token = static_cast<std::int32_t>(std::max_element(z, z + n_classes) - z);
    if (token == n_classes - 1) break;  // the boundary
    tokens.push_back(token);
  }
  return tokens;
}

std::vector<TokenSequence> decode_greedily(Learner<float>& learner, const Dataset& data,
                                           Split split, std::span<const Index> examples,
                                           std::vector<TokenSequence> guess, Batch& batch) {
  const auto longest = static_cast<std::size_t>(learner.data().queries->longest) - 1;
  std::vector<std::size_t> open(examples.size());  // whose guess has not come out again
  std::iota(open.begin(), open.end(), std::size_t{0});
  for (TokenSequence& tokens : guess) tokens.resize(std::min(tokens.size(), longest));
  // One round more than there are tokens settles all of them; a model whose rows see later ones
  // has no such answer, and might go on for ever.
  for (std::size_t round = 0; !open.empty() && round <= longest + 1; ++round) {
    std::vector<Index> indices;
    std::vector<TokenSequence> asked;
    for (const std::size_t i : open) {
      indices.push_back(examples[i]);
      asked.push_back(guess[i]);
    }
    batch.assemble(data, split, indices);
    batch.ask(asked);
    const View<const float> logits = learner.evaluate(batch);
    const PackedRows rows = batch.query_rows();
    std::vector<std::size_t> still_open;
    for (std::size_t k = 0; k < open.size(); ++k) {
      const auto e = static_cast<Index>(k);
      TokenSequence next = most_likely(logits, rows.offsets[e], rows.offsets[e + 1]);
      next.resize(std::min(next.size(), longest));
      if (next == guess[open[k]]) continue;
      guess[open[k]] = std::move(next);
      still_open.push_back(open[k]);
    }
    open = std::move(still_open);
  }
  return guess;
}

Index edit_distance(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  std::vector<Index> row(b.size() + 1);  // distances of a's first i to b's first j tokens
  std::iota(row.begin(), row.end(), Index{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    Index diagonal = row[0];
    row[0] += 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const Index replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace attune
