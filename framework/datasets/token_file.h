#pragma once

#include <string>
#include <vector>

#include "datasets/dataset_file.h"
#include "datasets/token_sequences.h"

namespace attune {

// `attune.dataset@1`, tokens. Of n sequences:
//   /tokens [total] ids, sequence after sequence    /offsets [n+1] their starts
//   /vocabulary [V] text, the name of each id (default: "0", "1", … of the largest id)
//   /label [n], an index into /class_names [c] text; a text to be continued has none
//   /group [n], /split [n] as of images
// with the attributes schema, kind ("tokens") and sha256, which may be absent. A sequence has one
// token at least.
//
// sha256 is over the text "attune.dataset@1 tokens\n" and then vocabulary, class_names, label,
// group, split, offsets (int64), tokens (int32), as dataset_file.h has it for images; label with
// class_names, and split, are left out where absent.
struct TokenTable : ExampleColumns, TokenSequences {};

struct TokenFile {
  TokenTable table;    // whole, defaults filled in
  std::string sha256;  // of the content as it is
};

// DataError with every fault, a line each.
TokenFile read_token_file(const std::string& path);

// Under a temporary name beside it, then renamed into place.
void write_token_file(const std::string& path, TokenTable table);

std::vector<std::string> token_file_faults(const std::string& path);

}  // namespace attune
