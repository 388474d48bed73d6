#pragma once

#include <string>
#include <vector>

#include "datasets/dataset_file.h"
#include "datasets/token_sequences.h"

namespace attune {

// `attune.dataset@1`, pairs. Of n pairs of sequences, an input and its answer:
//   /tokens /offsets /vocabulary  the inputs, as of tokens (token_file.h)
//   /answer_tokens /answer_offsets /answer_vocabulary  the answers, likewise, in ids of their own
//   /group [n], /split [n] as of images
// with the attributes schema, kind ("pairs") and sha256; vocabularies, group, split and the
// attributes may be absent. A sequence has one token at least.
//
// sha256 is over the text "attune.dataset@1 pairs\n" and then vocabulary, answer_vocabulary, group,
// split, offsets (int64), tokens (int32), answer_offsets, answer_tokens, as dataset_file.h has it
// for images; split is left out where absent.
struct PairTable : ExampleColumns {  // without labels
  TokenSequences input, answer;
  Index size() const { return input.size(); }
};

struct PairFile {
  PairTable table;     // whole, defaults filled in
  std::string sha256;  // of the content as it is
};

// DataError with every fault, a line each.
PairFile read_pair_file(const std::string& path);

// Under a temporary name beside it, then renamed into place.
void write_pair_file(const std::string& path, PairTable table);

std::vector<std::string> pair_file_faults(const std::string& path);

}  // namespace attune
