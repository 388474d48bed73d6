#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: dictionary. DictionaryLookup (Brody et al. 2022, "How attentive are graph attention
// networks?", section 4): a graph of k = n_pairs nodes that ask, then k nodes that answer, with an
// edge from each of these to each of those and no other. Node k + j has a key and its value, node i
// the key i and no value; the target of node i is the value of that key, nodes k … have none. A row
// is its key, then its value or none as one-hot vectors: [2 k + 1], of which the last stands for
// none.
//
// Draws: the keys of nodes k …, a shuffle of 0 … k − 1, then their values, another. As in the
// authors' code there is no key without its node and no value twice, so that a layer whose nodes
// all attend to the same neighbour most (GAT, as the paper proves) is right about that one. There
// are k! dictionaries: with few pairs the splits share most of them, as theirs do.
struct DictionaryOptions : GeneratedOptions {
  Index n_pairs = 10;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
