#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"

// Sequences of tokens as dataset files of several kinds hold them.
namespace attune {

class DatasetChecker;
class H5Group;

// n sequences, one behind the other; each has one token at least.
struct TokenSequences {
  std::vector<std::int32_t> tokens;     // ids
  std::vector<Index> offsets = {0};     // [n + 1], where each starts
  std::vector<std::string> vocabulary;  // the name of each id
  Index size() const { return static_cast<Index>(offsets.size()) - 1; }
  Index n_tokens(Index i) const {
    return offsets[static_cast<std::size_t>(i) + 1] - offsets[static_cast<std::size_t>(i)];
  }
  std::span<const std::int32_t> sequence(Index i) const {
    return {tokens.data() + offsets[static_cast<std::size_t>(i)],
            static_cast<std::size_t>(n_tokens(i))};
  }
};

// The datasets /tokens, /offsets and perhaps /vocabulary, each behind `prefix`. Faults are the
// checker's; without any an absent vocabulary has its default.
TokenSequences read_sequences(DatasetChecker& check, const H5Group& root,
                              const std::string& prefix = "");
void write_sequences(H5Group& root, const TokenSequences& sequences,
                     const std::string& prefix = "");

// "0", "1", … up to the largest id, where there are no names.
void complete_vocabulary(TokenSequences& sequences);

// The same sequences in the ids of another vocabulary, by name. DataError names the tokens that it
// lacks; `path` and `prefix` stand in it.
void renumber_tokens(TokenSequences& sequences, const std::vector<std::string>& vocabulary,
                     const std::string& path, const std::string& prefix = "");

}  // namespace attune
