#pragma once

#include "datasets/data_kinds.h"
#include "datasets/open_file.h"
#include "datasets/token_file.h"

namespace attune {

// data.kind: text. Language modelling over the sequences (documents) of a tokens file: row t of an
// example holds token t of a window, its target is token t + 1. Each document is cut, in this
// order, into training text, validation text and test text; a window never crosses a cut.
//   train      a window of `block` tokens at every offset: L − block of them in a part of L tokens
//   val, test  windows end to end, the last one shorter where need be: each token but the part's
//              first is a target exactly once
// A part that is no longer than `block` is one window, one of a single token none. So training in
// shuffled epochs draws windows without replacement.
//
// An example's id is the offset of its window in /tokens. Its group is its document, or, where
// there is one document only, the window itself.
struct TextOptions : DataOptions {
  std::optional<std::string> file;
  Index block = 64;
  double val = 0.1, test = 0.0;  // shares of each document; val is nanoGPT's last tenth

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
  // Another tokens file, whose tokens are found by their names in /vocabulary, all of it as test.
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;

 private:
  KeptFile<TokenFile> opened_;
};

}  // namespace attune
