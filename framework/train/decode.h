#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/batch.h"
#include "train/learner.h"

namespace attune {

using TokenSequence = std::vector<std::int32_t>;

// Greedy decoding: what the model answers to each of these examples when it is fed its own most
// likely token (of equals the first) at every step, up to the boundary, which is left out, or to
// as many tokens as the longest answer of the data has.
//
// The answer is the one sequence that, fed to the decoder, comes out again. So all steps of a guess
// are tried at once, and what comes out is the next guess (Jacobi iteration: Santilli et al. 2023):
// the first k tokens are final after k rounds at the latest, of a trained model much sooner.
// Rows depend on the rows before them alone, bit for bit, so that the result is that of one step
// after the other. `guess` may hold anything; it costs rounds, and changes no token.
std::vector<TokenSequence> decode_greedily(Learner<float>& learner, const Dataset& data,
                                           Split split, std::span<const Index> examples,
                                           std::vector<TokenSequence> guess, Batch& batch);

// The guess that an answer's logits hold, [n, n_classes]: the largest of each row, to the first
// boundary.
TokenSequence most_likely(View<const float> logits, Index begin, Index end);

// Least number of insertions, deletions and replacements of tokens that make a from b
// (Levenshtein 1966).
Index edit_distance(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

}  // namespace attune
